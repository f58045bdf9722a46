// An initial RAM disk: files in a cpio archive (newc). Written here because it is a header of 110 characters
// a file, and because every file belongs to root whoever builds it. Not compressed: unpacked at once even
// where the processor is emulated.

export interface InitrdFile {
  /** Without a leading slash; folders are made as they are needed. */
  readonly path: string;
  readonly content: Uint8Array | string;
  readonly executable?: boolean;
  /** A symbolic link to `content`. */
  readonly isLink?: boolean;
}

const kinds = { folder: 0o040755, file: 0o100644, program: 0o100755, link: 0o120777 };

export function makeArchive(files: readonly InitrdFile[], emptyFolders: readonly string[] = []): Buffer {
  const parts: Buffer[] = [];
  const folders = new Set<string>();
  let inode = 1;
  const add = (path: string, mode: number, content: Buffer): void => {
    parts.push(header(inode, path, mode, content.length), padded(content));
    inode += 1;
  };
  const addFolder = (path: string): void => {
    if (path === "" || folders.has(path)) return;
    addFolder(path.split("/").slice(0, -1).join("/"));
    folders.add(path);
    add(path, kinds.folder, Buffer.alloc(0));
  };
  for (const path of emptyFolders) addFolder(path);
  for (const { path, content, executable = false, isLink = false } of files) {
    addFolder(path.split("/").slice(0, -1).join("/"));
    const mode = isLink ? kinds.link : executable ? kinds.program : kinds.file;
    add(path, mode, Buffer.from(content));
  }
  add("TRAILER!!!", 0, Buffer.alloc(0));
  return Buffer.concat(parts);
}

function header(inode: number, path: string, mode: number, size: number): Buffer {
  const name = Buffer.from(`${path}\0`);
  const numbers = [inode, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name.length, 0];
  const text = `070701${numbers.map((number) => number.toString(16).padStart(8, "0")).join("")}`;
  return padded(Buffer.concat([Buffer.from(text), name]));
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}
