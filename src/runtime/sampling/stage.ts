/** One step from the logits of all tokens to the token that is chosen. */
import type { Candidates } from "./candidates.ts";

/** Shape: llama.cpp's `llama_sampler_i`. A stage belongs to one answer. `apply` allocates nothing. */
export interface LogitStage {
  /** How many of the largest logits it can decide from, where it is the first: Infinity if all of them count. */
  readonly needs: number;
  /** Changes logits, or takes tokens out of the race. */
  apply(candidates: Candidates): void;
  /** Notes a token of the prompt or of the answer. Absent in a stage without memory. */
  accept?(token: number): void;
}
