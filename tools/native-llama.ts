/** Native llama.cpp, as the oracle of tools that prove: its perplexity of a text, its greedy answer to a prompt. */
import { spawnSync } from "node:child_process";

/** Native llama.cpp 0.7.0 ends now and then before its last line is printed. */
const maxTries = 5;

/** f32 keys and values, and attention in f32: what is left of a difference is rounding. */
export const exactCache: readonly string[] = ["-ctk", "f32", "-ctv", "f32", "-fa", "off"];

export interface NativePerplexity {
  /** Starts llama-perplexity: a command and its first arguments. */
  readonly command: readonly string[];
  readonly model: string;
  readonly text: string;
  readonly contextLength: number;
  /** Windows of contextLength tokens that are read. */
  readonly chunks: number;
  readonly flags?: readonly string[];
}

/** As printed behind the last chunk. @throws Error with what the program said, if it gives no number. */
export function nativePerplexity(request: NativePerplexity): number {
  const { command, model, text, contextLength, chunks, flags = [] } = request;
  const size = ["-c", contextLength, "-b", contextLength, "--chunks", chunks].map(String);
  const args = ["-m", model, "-f", text, ...size, "-t", "1", ...flags];
  const pattern = new RegExp(`\\[${chunks}\\]([^,]+),`);
  const found = said(command, args, (output) => pattern.exec(output)?.[1]);
  if (Number.isFinite(Number(found))) return Number(found);
  throw new Error(`${command.join(" ")} says that the perplexity of ${model} is ${found}`);
}

export interface NativeCompletion {
  /** Starts llama-completion: a command and its first arguments. */
  readonly command: readonly string[];
  readonly model: string;
  readonly prompt: string;
  readonly tokens: number;
  readonly contextLength: number;
  /** Tokens that are never chosen. */
  readonly banned: readonly number[];
}

/** The text of the likeliest tokens. Bytes that are no UTF-8 become U+FFFD. */
export function nativeCompletion(request: NativeCompletion): string {
  const { command, model, prompt, tokens, contextLength, banned } = request;
  const size = ["-n", tokens, "-c", contextLength, "-t", 1, "--temp", 0].map(String);
  const plain = ["-no-cnv", "--no-display-prompt", "--no-warmup", ...exactCache];
  const bans = banned.flatMap((id) => ["-l", `${id}-1000000`]);
  // Two ends of line follow the answer.
  const read = (output: string): string | undefined => /^(.*)\n\n$/s.exec(output)?.[1];
  return said(command, ["-m", model, "-p", prompt, ...size, ...plain, ...bans], read);
}

/** What the program printed, as `read` finds it; again where it ended too early to print it. */
function said(
  command: readonly string[],
  args: readonly string[],
  read: (output: string) => string | undefined,
): string {
  const [program = "", ...words] = command;
  let errors = "";
  for (let attempt = 0; attempt < maxTries; attempt++) {
    const run = spawnSync(program, [...words, ...args], { encoding: "utf8", input: "" });
    if (run.error !== undefined) throw run.error;
    errors = run.stderr;
    const found = read(run.stdout);
    if (found !== undefined) return found;
    // A signal, as an early end, says nothing of the model.
    if (run.status !== 0 && run.status !== null) break;
  }
  throw new Error(`${command.join(" ")} gave no answer:\n${errors.slice(-2000)}`);
}
