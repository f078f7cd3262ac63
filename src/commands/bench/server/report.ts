/** The report of `hearth bench --server`: what clients of one server, or of two in turn, saw. */
import type { Milliseconds, Tokens } from "../../../core/units.ts";
import type { MachineDescription } from "../report.ts";
import type { Spread } from "../statistics.ts";

export interface ServerBenchReport {
  readonly hearth_server_bench: 1;
  /** ISO 8601, when the measurement began. */
  readonly date: string;
  readonly hearth: string;
  readonly commit: string | null;
  readonly machine: MachineDescription;
  readonly command: string;
  /** File name of the model that was served; null for servers that ran already. */
  readonly model: string | null;
  /** Answers that each server writes at the same time; null for servers that ran already. */
  readonly slots: number | null;
  readonly repetitions: number;
  /** Words of each prompt, of which most are one token. */
  readonly prompt_words: Tokens;
  readonly answer_tokens: Tokens;
  readonly results: readonly ServerBenchResult[];
}

export interface ServerBenchResult {
  /** "hearth", "llama-server", or an address. */
  readonly server: string;
  /** Requests at the same time. */
  readonly clients: number;
  readonly answers: number;
  /** Clients that got none, over all rounds; and what the first of them was told. */
  readonly refused: number;
  readonly refusal?: string;
  /** Median of what the server counted, with its template; null where it counts none. */
  readonly prompt_tokens: Tokens | null;
  /** From the request to the first piece of the answer, in milliseconds, of the answers of all rounds. */
  readonly first_token: Percentiles;
  /** From one piece of an answer to the next. */
  readonly between_tokens: Percentiles;
  /** Of all answers of a round together. */
  readonly tokens_per_second: Spread;
  /** tokens_per_second of the first server by that of this one, round by round; of others than the first. */
  readonly ratio?: Spread;
}

export interface Percentiles {
  readonly p50: Milliseconds;
  readonly p99: Milliseconds;
}
