import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";

const main = join(import.meta.dirname, "main.ts");
const tellWhatIsLoaded = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from "node:module";
  registerHooks({ load: (url, context, next) => (process.stderr.write(url + "\\n"), next(url, context)) });
`)}`;

function holdfast(...args: string[]): { status: number | null; stdout: string; stderr: string; loaded: string[] } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--import", tellWhatIsLoaded, main, ...args], {
    encoding: "utf8",
  });
  const loaded = stderr.split("\n").flatMap((line) => /\/src\/(cli\/.*)\.ts$/.exec(line)?.[1] ?? []);
  return { status, stdout, stderr, loaded };
}

const always = ["cli/main", "cli/exit-codes", "cli/examples"];

test("only the command that is named is loaded, and what it does is not loaded for its help", () => {
  const { status, stdout, loaded } = holdfast("store", "points", "--help");
  assert.equal(status, 0);
  assert.match(stdout, /--item <name>/);
  assert.deepEqual(loaded.sort(), [...always, "cli/store/commands"].sort());
});

test("the version is told without any command", () => {
  const { status, stdout, loaded } = holdfast("--version");
  assert.equal(status, 0);
  assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
  assert.deepEqual(loaded.sort(), [...always].sort());
});

test("the help lists every command", () => {
  const { status, stdout } = holdfast("--help");
  assert.equal(status, 0);
  const names = [...stdout.matchAll(/^ {2}([a-z]+(?:-[a-z]+)*) /gm)].map(([, name]) => name);
  const all = "admin az-env bench check db doctor files help host kql query store test token up vault";
  assert.equal(names.join(" "), all);
});

test("a name that nothing has is answered with the nearest one", () => {
  const { status, stderr } = holdfast("stor");
  assert.equal(status, 2);
  assert.match(stderr, /unknown command 'stor'\n\(Did you mean store\?\)/);
});
