// Jobs as a workbook with one sheet, the smallest that spreadsheet programs open: OOXML, text in the cells.

import { zipArchive } from "../../../../backup/file-recovery/zip.ts";
import type { Entry } from "../../../../backup/file-recovery/entries.ts";
import type { Job } from "../../../../backup/jobs/job.ts";
import { isoTime } from "../../../../lib/clock.ts";

const columns: readonly (readonly [title: string, value: (job: Job) => string])[] = [
  ["Workload name", ({ itemName }) => itemName],
  ["Operation", ({ operation }) => operation],
  ["Status", ({ status }) => status],
  ["Type", () => "AzureIaasVM"],
  ["Start time", ({ startedAt }) => isoTime(startedAt)],
  ["End time", ({ endedAt }) => (endedAt === undefined ? "" : isoTime(endedAt))],
  ["Duration (s)", ({ startedAt, endedAt }) => (endedAt === undefined ? "" : String((endedAt - startedAt) / 1000))],
  ["User triggered", ({ isUserTriggered }) => (isUserTriggered ? "Yes" : "No")],
  ["Error code", ({ errors }) => errors.map(({ code }) => code).join(", ")],
  ["Error", ({ errors }) => errors.map(({ message }) => message).join("\n")],
  ["Job id", ({ id }) => id],
];

const xml = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n`;
const formats = "http://schemas.openxmlformats.org";
const sheets = `${formats}/spreadsheetml/2006/main`;
const links = `${formats}/officeDocument/2006/relationships`;
const packages = `${formats}/package/2006`;
const contents = "application/vnd.openxmlformats-officedocument.spreadsheetml";

const fixed: Readonly<Record<string, string>> = {
  "[Content_Types].xml": `${xml}<Types xmlns="${packages}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" ContentType="${contents}.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="${contents}.worksheet+xml"/></Types>`,
  "_rels/.rels": `${xml}<Relationships xmlns="${packages}/relationships"><Relationship Id="rId1" Type="${links}/officeDocument" Target="xl/workbook.xml"/></Relationships>`,
  "xl/workbook.xml": `${xml}<workbook xmlns="${sheets}" xmlns:r="${links}"><sheets><sheet name="Jobs" sheetId="1" r:id="rId1"/></sheets></workbook>`,
  "xl/_rels/workbook.xml.rels": `${xml}<Relationships xmlns="${packages}/relationships"><Relationship Id="rId1" Type="${links}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>`,
};
const sheetPath = "xl/worksheets/sheet1.xml";

export function jobsWorkbook(jobs: AsyncIterable<Job>, now: number): AsyncIterable<Uint8Array> {
  return zipArchive(
    [...Object.keys(fixed), sheetPath].map((path) => fileEntry(path, now)),
    ({ path }) => (path === sheetPath ? sheet(jobs) : text(fixed[path] ?? "")),
  );
}

async function* text(content: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(content);
}

async function* sheet(jobs: AsyncIterable<Job>): AsyncGenerator<Uint8Array> {
  yield Buffer.from(`${xml}<worksheet xmlns="${sheets}"><sheetData>${row(columns.map(([title]) => title))}`);
  for await (const job of jobs) yield Buffer.from(row(columns.map(([, value]) => value(job))));
  yield Buffer.from("</sheetData></worksheet>");
}

/** Inline text, never a formula: a machine may be called `=1+1`. */
function row(values: readonly string[]): string {
  const cells = values.map((value) => `<c t="inlineStr"><is><t xml:space="preserve">${escaped(value)}</t></is></c>`);
  return `<row>${cells.join("")}</row>`;
}

const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
/** XML has no way to say most control characters. */
const unspeakable = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu;
const longestCell = 32_000;

function escaped(value: string): string {
  return value
    .slice(0, longestCell)
    .replace(unspeakable, "\uFFFD")
    .replace(/[&<>"]/g, (each) => entities[each] ?? each);
}

/** The archive asks for the content of files that are not empty; how large they are it sees by itself. */
function fileEntry(path: string, modifiedAt: number): Entry {
  return {
    path,
    rawPath: Buffer.from(path),
    kind: "file",
    sizeBytes: 1,
    modifiedAt,
    mode: 0o644,
    owner: 0,
    group: 0,
    linkTarget: undefined,
  };
}
