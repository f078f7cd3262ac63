/**
 * The report of `hearth bench` and the files of bench/results: one JSON object that says by itself on what machine,
 * at which commit, with which model and how often each number was measured.
 */
import type { Spread } from "./statistics.ts";

export interface BenchReport {
  readonly hearth_bench: 1;
  /** ISO 8601, when the measurement began. */
  readonly date: string;
  readonly hearth: string;
  /** Of a git checkout; "-dirty" when files were changed. */
  readonly commit: string | null;
  readonly machine: MachineDescription;
  readonly command: string;
  /** Timed runs of each test; one more before them was thrown away. Spread: least and greatest of these. */
  readonly repetitions: number;
  readonly results: readonly BenchResult[];
}

export interface MachineDescription {
  readonly cpu: string;
  readonly physical_cores: number | null;
  readonly memory_bytes: number;
  /** "linux x64 6.1.0, Node 22.1.0" */
  readonly system: string;
  /** Cores that other programs kept busy in the half second before: on a quiet machine next to none. */
  readonly load: number;
}

export interface BenchResult {
  /** File name of the model. */
  readonly model: string;
  readonly parameters: number;
  readonly file_bytes: number;
  /** Type of most of the weight bytes. */
  readonly quant: string;
  /** "pp128": reading a prompt of 128 tokens; "tg64": writing 64 tokens; "tg64 @ d4096": behind 4096 others. */
  readonly test: string;
  /** "cpu (avx512, 2 threads)" */
  readonly device: string;
  readonly sparsity: string;
  readonly tokens_per_second: Spread;
  /**
   * Of tg without depth only. Weights read for a token × tokens a second, and what the device reads at most: the same threads from
   * memory, or the card's fastest kernel in the measured hardware profile. Two devices have no roof in common.
   */
  readonly bytes_per_token?: number;
  readonly bytes_per_second?: number;
  readonly roof_bytes_per_second?: number;
  /** Of neurons, those computed in decode steps, 0…1; of a sparse method only. */
  readonly active_share?: number;
  /** Of active neurons, those computed on the GPU, 0…1; of device hybrid only. */
  readonly gpu_share?: number;
  /** The same test by native llama.cpp in the same rounds: the yardstick. */
  readonly against_llama_bench?: AgainstResult;
  /** The same test by node-llama-cpp in the same rounds: llama.cpp with what its JavaScript wrapper costs. */
  readonly against?: AgainstResult;
}

export interface AgainstResult {
  /** "llama-bench b11669 (commit)", "node-llama-cpp 3.22.1" */
  readonly program: string;
  readonly tokens_per_second: Spread;
  /** hearth / program, round by round. */
  readonly ratio: Spread;
}
