/**
 * Native llama.cpp as the other side of `hearth bench --against-llama-bench`: its llama-bench, started anew for each
 * run, so that it takes no processor time and no memory from hearth in between. It warms itself up and samples nothing.
 */
import { type ChildProcess, type ExecFileException, execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { describeValue, isNumber, isRecord } from "../../core/check-options.ts";
import { DeviceError, OptionError } from "../../core/errors.ts";
import type { Milliseconds } from "../../core/units.ts";
import type { AgainstTest } from "./against-protocol.ts";
import type { Opponent } from "./opponent.ts";

export interface LlamaBenchProgram {
  /** The program and the arguments that come before all others. */
  readonly command: readonly string[];
  /** What it prints for --help: the flags that this build knows. */
  readonly help: string;
}

export interface LlamaBenchSettings {
  readonly model: string;
  readonly threads: number;
  readonly cacheType: string;
  readonly gpu: "none" | "auto";
}

/** A program that prints its usage needs milliseconds; loading a large library from a cold disk takes seconds. */
const helpTimeout: Milliseconds = 30_000;
/** A report of one test is 2 kB; the log of a verbose build stays far below. */
const maxOutputBytes = 64 * 2 ** 20;

/**
 * Tries whether `command` starts llama-bench. A text that names a file is that program, spaces and all; any other is
 * split at its spaces into a program (looked up in PATH where it has no slash) and its first arguments.
 * @throws OptionError if the program is missing, may not be executed, or is another one.
 */
export async function findLlamaBench(command: string): Promise<LlamaBenchProgram> {
  const words = existsSync(command) ? [resolve(command)] : command.trim().split(/\s+/);
  const { error, stdout, stderr } = await execute([...words, "--help"], { timeout: helpTimeout });
  const help = `${stdout}\n${stderr}`;
  // A flag that nothing but llama-bench has had, from its first version on.
  if (help.includes("--n-prompt") && help.includes("--n-gen")) return { command: words, help };
  throw new OptionError(
    "againstLlamaBench",
    `${describeValue(command)}, which ${refusal(words[0] ?? "", error, stderr)},`,
    "the path of llama.cpp's llama-bench, or a command that starts it",
  );
}

function refusal(program: string, error: ExecFileException | null, stderr: string): string {
  if (error?.code === "ENOENT" && !existsSync(program)) return "does not exist";
  if (error?.code === "EACCES") return "may not be executed";
  if (typeof error?.code === "string") return `cannot be started (${error.code})`;
  if (error?.killed) return `did not end within ${helpTimeout / 1000} s of --help`;
  const said = lastLine(stderr);
  if (error !== null && (error.signal || said !== "")) return `fails (${failure(error, said)})`;
  return "is another program (its --help names no --n-prompt)";
}

/** Of a test, in its flags and its report. */
interface Lengths {
  readonly n_prompt: number;
  readonly n_gen: number;
  readonly n_depth?: number;
}

export class LlamaBench implements Opponent {
  readonly #program: LlamaBenchProgram;
  readonly #settings: LlamaBenchSettings;
  /** "b11669 (Debian)", known from its first report on. */
  #build = "";
  #child: ChildProcess | undefined;

  constructor(program: LlamaBenchProgram, settings: LlamaBenchSettings) {
    this.#program = program;
    this.#settings = settings;
  }

  get name(): string {
    return `llama-bench ${this.#build}`.trim();
  }

  async measure(test: AgainstTest): Promise<number> {
    const { command } = this.#program;
    const { threads } = this.#settings;
    const lengths =
      test.kind === "prompt"
        ? { n_prompt: test.ids.length, n_gen: 0 }
        : { n_prompt: 0, n_gen: test.tokens };
    const depth = test.before.length;
    // Older builds have no depth, and no word of it in their reports.
    const wanted = { ...lengths, n_threads: threads, ...(depth > 0 && { n_depth: depth }) };
    const { error, stdout, stderr } = await execute([...command, ...this.#flags(wanted)], {
      onStart: (child) => {
        this.#child = child;
      },
    });
    this.#child = undefined;
    if (error !== null) throw new DeviceError(`${this.name} ${failure(error, lastLine(stderr))}`);
    const report = this.#parse(stdout);
    for (const [name, value] of Object.entries(wanted)) {
      if (report[name] === value) continue;
      throw new DeviceError(
        `${this.name}: ${name} is ${describeValue(report[name])} in its report; expected ${value}, as it was asked for`,
      );
    }
    const { avg_ts: rate, build_number: number, build_commit: commit } = report;
    if (!isNumber(rate) || !(rate > 0 && Number.isFinite(rate)))
      throw new DeviceError(
        `${this.name}: avg_ts is ${describeValue(rate)} in its report; expected tokens per second`,
      );
    this.#build = `b${number ?? "?"} (${commit ?? "unknown commit"})`;
    return rate;
  }

  [Symbol.dispose](): void {
    this.#child?.kill();
  }

  #flags(lengths: Lengths): readonly string[] {
    const { model, threads, cacheType, gpu } = this.#settings;
    const test = ["-m", model, "-p", `${lengths.n_prompt}`, "-n", `${lengths.n_gen}`];
    const work = [...test, ...(lengths.n_depth === undefined ? [] : ["-d", `${lengths.n_depth}`])];
    // f16 is its default, and older builds have other types with flash attention only.
    const cache = cacheType === "f16" ? [] : ["-ctk", cacheType, "-ctv", cacheType];
    // Without layers on a card it still multiplies a prompt there, unless the card is taken away.
    const noCard = this.#program.help.includes("--device") ? ["-dev", "none"] : [];
    const device = gpu === "none" ? ["-ngl", "0", ...noCard] : [];
    return [...work, "-t", `${threads}`, "-r", "1", "-o", "json", ...cache, ...device];
  }

  /** The one test of the list that `-o json` prints. */
  #parse(stdout: string): Readonly<Record<string, unknown>> {
    const report = parsed(stdout);
    const [first, ...others] = Array.isArray(report) ? report : [];
    if (isRecord(first) && others.length === 0) return first;
    throw new DeviceError(
      `${this.name}: ${stdout.trim() === "" ? "nothing" : describeValue(stdout.trim())} was printed; expected a JSON list of one test`,
    );
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

interface Execution {
  readonly error: ExecFileException | null;
  readonly stdout: string;
  readonly stderr: string;
}

function execute(
  [program = "", ...args]: readonly string[],
  options: { readonly timeout?: Milliseconds; onStart?(child: ChildProcess): void },
): Promise<Execution> {
  const { timeout = 0, onStart } = options;
  return new Promise((done) => {
    const settings = { timeout, maxBuffer: maxOutputBytes, encoding: "utf8" } as const;
    const child = execFile(program, args, settings, (error, stdout, stderr) =>
      done({ error, stdout, stderr }),
    );
    // A program that waits for input gets its end.
    child.stdin?.end();
    onStart?.(child);
  });
}

/** `said`: the last line of what it printed as its log; may be empty. */
function failure({ signal, code }: ExecFileException, said: string): string {
  return `${signal ? `was ended by ${signal}` : `ended with code ${code}`}${said && `: ${said}`}`;
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1)?.trim() ?? "";
}
