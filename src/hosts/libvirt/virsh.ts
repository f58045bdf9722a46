// libvirt, through its own client. No shell is involved; machines are named by their UUIDs only, and
// what people have chosen travels in XML or, quoted, on the client's input.

import { tmpdir } from "node:os";
import { join } from "node:path";
import { HoldfastError } from "../../lib/errors.ts";
import { disk } from "../../lib/files.ts";
import { run, type RunResult } from "../../lib/processes.ts";
import { newGuid } from "../../lib/random.ts";
import { hostErrors } from "../errors.ts";

export interface Virsh {
  readonly uri: string;
  call(args: readonly string[], options?: CallOptions): Promise<string>;
  /** Several commands of plain words in one connection; the answers in their order, "" for what failed. */
  batch(commands: readonly (readonly string[])[], options?: CallOptions): Promise<string[]>;
  /** One command read from the client's input, so that no list of processes shows it. */
  whisper(command: readonly string[], secret: string, options?: CallOptions): Promise<string>;
}

export interface CallOptions {
  /** XML by the option that takes it as a file. */
  readonly documents?: Readonly<Record<string, string>>;
  readonly timeoutMilliseconds?: number;
  readonly signal?: AbortSignal;
}

const program = "virsh";
const defaultTimeout = 60_000;
const word = /^[A-Za-z0-9._-]+$/;

export function openVirsh(uri: string): Virsh {
  const execute = async (
    args: readonly string[],
    options: CallOptions & { readonly input?: string },
    accepted?: readonly number[],
  ): Promise<RunResult> => {
    try {
      return await run(program, ["-q", "-k", "0", "-c", uri, ...args], {
        input: options.input,
        timeoutMilliseconds: options.timeoutMilliseconds ?? defaultTimeout,
        signal: options.signal,
        env: { LC_ALL: "C.UTF-8" },
        acceptedExitCodes: accepted,
      });
    } catch (error) {
      options.signal?.throwIfAborted();
      throw asHostError(uri, error);
    }
  };
  return {
    uri,
    call: async (args, options = {}) => {
      const paths: string[] = [];
      try {
        const more: string[] = [];
        for (const [option, xml] of Object.entries(options.documents ?? {})) {
          const path = join(tmpdir(), `holdfast-${newGuid()}.xml`);
          paths.push(path);
          // Not by way of its input: what is a socket cannot be opened by name.
          await writeNew(path, xml);
          more.push(option, path);
        }
        return (await execute([...args, ...more], options)).stdout;
      } finally {
        for (const path of paths) await disk.remove(path);
      }
    },
    batch: async (commands, options = {}) => {
      if (commands.length === 0) return [];
      const plain = commands.map((words) => {
        const odd = words.find((part) => !word.test(part));
        if (odd !== undefined) throw hostErrors.HostSettingsInvalid(`"${odd}" is no plain word.`);
        return words.join(" ");
      });
      // New each time: no machine's description can hold it.
      const mark = `holdfast-${newGuid()}`;
      const { stdout, stderr } = await execute([plain.join(`; echo ${mark}; `)], options, [0, 1]);
      const answers = stdout.split(mark);
      if (answers.length === commands.length) return answers;
      throw asHostError(uri, new Error(stderr));
    },
    whisper: async (command, secret, options = {}) => {
      // In single quotes nothing is special but their end.
      if (/['\n]/.test(secret)) throw hostErrors.HostSettingsInvalid("What is whispered holds a quote or line break.");
      const { stdout, stderr } = await execute([], { ...options, input: `${command.join(" ")} '${secret}'\n` }, [0, 1]);
      // It repeats the prompt and what it read; the answer follows on lines of its own.
      const lines = stdout.split("\n").filter((line) => line !== "" && !line.startsWith("virsh #"));
      const failure = /^error: ([^]*)/m.exec(stderr)?.[1];
      if (failure !== undefined) throw asHostError(uri, new Error(failure.trim()));
      return lines.join("\n");
    },
  };
}

async function writeNew(path: string, content: string): Promise<void> {
  await using file = await disk.open(path, "createNew", 0o600);
  await file.write(Buffer.from(content), 0);
}

function asHostError(uri: string, error: unknown): HoldfastError {
  if (error instanceof HoldfastError && error.code !== "ProgramFailed") return error;
  const said = error instanceof Error ? error.message : String(error);
  const why = (/error: ([^]*)/.exec(said)?.[1] ?? said)
    .replaceAll(/\s*\n(?:error: )?/g, ": ")
    .slice(0, 1000)
    .trim();
  if (
    /failed to connect to the hypervisor|Failed to connect socket|Cannot recv data|client socket is closed|End of file while reading/i.test(
      why,
    )
  )
    return hostErrors.LibvirtUnreachable(`libvirt cannot be reached at ${uri}: ${why}.`, { cause: error });
  if (/Domain not found|failed to get domain/i.test(why))
    return hostErrors.MachineNotFound(`libvirt at ${uri} has no such machine: ${why}.`, { cause: error });
  return hostErrors.LibvirtRefused(`libvirt refused: ${why}.`, { cause: error });
}
