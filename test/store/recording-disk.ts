// A file system in memory that writes down every change and every sync, and can build what a power
// cut may leave: what was synced is there; of the rest anything may be there, in part or not at all.

import { basename, dirname } from "node:path";
import type { FileStatus, FileSystem, OpenFile } from "../../src/lib/files.ts";

type Change =
  | { readonly kind: "write"; readonly inode: number; readonly position: number; readonly bytes: Buffer }
  | { readonly kind: "truncate"; readonly inode: number; readonly length: number }
  | {
      readonly kind: "entry";
      readonly removes: readonly Entry[];
      readonly adds: readonly (Entry & { inode: number })[];
    }
  | { readonly kind: "sync"; readonly inode: number };

interface Entry {
  readonly folder: number;
  readonly name: string;
}

interface Node {
  content: Buffer | undefined;
  entries: Map<string, number> | undefined;
  modifiedAt: number;
}

export interface RecordingDisk {
  readonly files: FileSystem;
  /** How many changes there were. */
  readonly steps: number;
  /** What a power cut after `steps` changes may leave. `keep` decides about each unsynced change. */
  afterPowerCut(steps: number, keep: (change: Change["kind"]) => "whole" | "torn" | "lost"): RecordingDisk;
}

export function recordingDisk(initial?: Map<number, Node>): RecordingDisk {
  const nodes = initial ?? new Map<number, Node>([[1, { content: undefined, entries: new Map(), modifiedAt: 1 }]]);
  const start = structuredClone(nodes);
  const journal: Change[] = [];
  let nextInode = Math.max(...nodes.keys()) + 1;
  let clock = 1;

  function apply(target: Map<number, Node>, change: Change): void {
    if (change.kind === "write" || change.kind === "truncate") {
      const node = target.get(change.inode);
      if (node === undefined) return;
      const old = node.content ?? Buffer.alloc(0);
      const length =
        change.kind === "write" ? Math.max(old.length, change.position + change.bytes.length) : change.length;
      const content = Buffer.alloc(length);
      old.copy(content);
      if (change.kind === "write") change.bytes.copy(content, change.position);
      node.content = content;
    } else if (change.kind === "entry") {
      for (const { folder, name } of change.removes) target.get(folder)?.entries?.delete(name);
      for (const { folder, name, inode } of change.adds) target.get(folder)?.entries?.set(name, inode);
    }
  }

  function record(change: Change): void {
    journal.push(change);
    clock += 1;
    apply(nodes, change);
    if (change.kind === "write") (nodes.get(change.inode) as Node).modifiedAt = clock;
  }

  function find(path: string): number | undefined {
    let inode: number | undefined = 1;
    for (const part of path.split("/").filter((name) => name !== "")) {
      inode = inode === undefined ? undefined : nodes.get(inode)?.entries?.get(part);
    }
    return inode;
  }

  function need(path: string): number {
    const inode = find(path);
    if (inode === undefined) throw failure("ENOENT", path);
    return inode;
  }

  const place = (path: string): Entry => ({ folder: need(dirname(path)), name: basename(path) });

  function create(path: string, node: Omit<Node, "modifiedAt">): number {
    const inode = nextInode;
    nextInode += 1;
    nodes.set(inode, { ...node, modifiedAt: clock });
    start.set(inode, {
      content: node.content,
      entries: node.entries === undefined ? undefined : new Map(),
      modifiedAt: clock,
    });
    record({ kind: "entry", removes: [], adds: [{ ...place(path), inode }] });
    return inode;
  }

  function status(inode: number | undefined): FileStatus | undefined {
    const node = inode === undefined ? undefined : nodes.get(inode);
    if (node === undefined || inode === undefined) return undefined;
    return {
      size: node.content?.length ?? 0,
      isFile: node.content !== undefined,
      isDirectory: node.entries !== undefined,
      isSymbolicLink: false,
      isSocket: false,
      modifiedAt: node.modifiedAt,
      mode: 0o600,
      owner: 0,
      inode,
      allocated: node.content?.length ?? 0,
    };
  }

  function file(inode: number): OpenFile {
    const node = nodes.get(inode) as Node;
    return {
      descriptor: -1,
      read: async (target, position) => {
        const part = (node.content ?? Buffer.alloc(0)).subarray(position, position + target.byteLength);
        target.set(part);
        return part.length;
      },
      write: async (source, position) => record({ kind: "write", inode, position, bytes: Buffer.from(source) }),
      sync: async () => record({ kind: "sync", inode }),
      truncate: async (length) => record({ kind: "truncate", inode, length }),
      status: async () => status(inode) as FileStatus,
      close: async () => {},
      [Symbol.asyncDispose]: async () => {},
    };
  }

  const files: FileSystem = {
    open: async (path, mode) => {
      const present = find(path);
      if (mode === "createNew" && present !== undefined) throw failure("EEXIST", path);
      if (present !== undefined) {
        if (mode === "create") record({ kind: "truncate", inode: present, length: 0 });
        return file(present);
      }
      if (mode !== "create" && mode !== "createNew") throw failure("ENOENT", path);
      return file(create(path, { content: Buffer.alloc(0), entries: undefined }));
    },
    read: async (path) => Buffer.from(nodes.get(need(path))?.content ?? []),
    writeDurably: async (path, content) => {
      const opened = await files.open(`${path}.tmp`, "createNew");
      await opened.write(Buffer.from(content as Uint8Array), 0);
      await opened.sync();
      await files.rename(`${path}.tmp`, path);
      await files.syncDirectory(dirname(path));
    },
    status: async (path) => status(find(path)),
    linkStatus: async (path) => status(find(path)),
    list: async (path) => [...(nodes.get(need(path))?.entries?.keys() ?? [])],
    changeOwner: async (path) => {
      throw failure("EPERM", path);
    },
    makeDirectory: async (path) => {
      const parts = path.split("/").filter((name) => name !== "");
      for (let depth = 1; depth <= parts.length; depth += 1) {
        const folder = `/${parts.slice(0, depth).join("/")}`;
        if (find(folder) === undefined) create(folder, { content: undefined, entries: new Map() });
      }
    },
    rename: async (from, to) => {
      const inode = need(from);
      record({ kind: "entry", removes: [place(from)], adds: [{ ...place(to), inode }] });
    },
    link: async (from, to) => {
      if (find(to) !== undefined) throw failure("EEXIST", to);
      record({ kind: "entry", removes: [], adds: [{ ...place(to), inode: need(from) }] });
    },
    remove: async (path) => {
      if (find(path) !== undefined) record({ kind: "entry", removes: [place(path)], adds: [] });
    },
    removeTree: async (path) => {
      if (find(path) !== undefined) record({ kind: "entry", removes: [place(path)], adds: [] });
    },
    syncDirectory: async (path) => record({ kind: "sync", inode: need(path) }),
    realPath: async (path) => path,
    freeBytes: async () => 1e12,
    volumeType: async () => 0xef53,
  };

  return {
    files,
    get steps() {
      return journal.length;
    },
    afterPowerCut: (steps, keep) => {
      const left = structuredClone(start);
      for (const node of left.values()) if (node.content !== undefined) node.content = Buffer.from(node.content);
      const done = journal.slice(0, steps);
      const lastSync = new Map<number, number>();
      done.forEach((change, index) => {
        if (change.kind === "sync") lastSync.set(change.inode, index);
      });
      const isDurable = (inode: number, index: number): boolean => (lastSync.get(inode) ?? -1) > index;
      done.forEach((change, index) => {
        if (change.kind === "sync") return;
        const inodes =
          change.kind === "entry" ? [...change.removes, ...change.adds].map(({ folder }) => folder) : [change.inode];
        const fate = inodes.some((inode) => isDurable(inode, index)) ? "whole" : keep(change.kind);
        if (fate === "lost") return;
        if (fate === "torn" && change.kind === "write") {
          apply(left, { ...change, bytes: change.bytes.subarray(0, Math.floor(change.bytes.length / 2)) });
        } else apply(left, change);
      });
      return recordingDisk(left);
    },
  };
}

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}
