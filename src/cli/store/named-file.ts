// `name=FILE` and `name=FILE,format=qcow2`. A file name may hold commas and equals signs.

import { parseReadableFormat, type ReadableFormat } from "../../store/images/format.ts";
import { toolErrors } from "./errors.ts";

export interface NamedFile {
  readonly name: string;
  readonly path: string;
}

export interface NamedImage extends NamedFile {
  readonly format: ReadableFormat;
}

export function parseNamedFile(option: string, text: string): NamedFile {
  const at = text.indexOf("=");
  const [name, path] = [text.slice(0, at), text.slice(at + 1)];
  if (at > 0 && path !== "") return { name, path };
  throw toolErrors.UsageInvalid(`${option} ${text}: name=FILE is needed.`);
}

export function parseNamedImage(text: string): NamedImage {
  const match = /^(.*),format=([^,=]*)$/s.exec(text);
  const { name, path } = parseNamedFile("--disk", match?.[1] ?? text);
  return { name, path, format: parseReadableFormat(match?.[2] ?? "raw") };
}

/** No name twice. */
export function checkDistinct(option: string, files: readonly NamedFile[]): void {
  const names = new Set<string>();
  for (const { name } of files) {
    if (names.has(name)) throw toolErrors.UsageInvalid(`${option}: the name ${name} is given twice.`);
    names.add(name);
  }
}
