/** One conformance case: a program, what is done with it, and what it exercises (so that a backend can name what it lacks). */
import type { WeightType } from "../../core/dtype.ts";
import type { KvType } from "../../ops/kv-shape.ts";
import type { Activation, OpKind, Slot, SparsityMethod } from "../../ops/op.ts";
import type { Program, Step } from "../../ops/program.ts";

export interface ConformanceCase {
  /** A sentence. */
  readonly name: string;
  /** "large" takes seconds on a software GPU. */
  readonly scale: "small" | "large";
  readonly traits: CaseTraits;
  build(): CaseScript;
}

/** Cases that a backend declares it cannot run. */
export interface Gap {
  readonly reason: string;
  readonly cases: (candidate: ConformanceCase) => boolean;
}

/** What the case is about; absent where it does not matter. */
interface CaseTraits {
  readonly op: OpKind | "program";
  readonly weightType?: WeightType;
  readonly method?: SparsityMethod["kind"];
  /** Of experts, and of blocks that are there for their form or type. */
  readonly activation?: Activation["kind"];
  readonly downLayout?: "columns" | "rows";
  readonly kvType?: KvType;
  /** The longest sum has so many terms, where rounding of long sums alone is more than a hundredth of the result. */
  readonly terms?: number;
  /** Weights have channel-major copies, which a backend may leave unread. */
  readonly hasChannels?: boolean;
}

export interface CaseScript {
  readonly program: Program;
  readonly actions: readonly CaseAction[];
}

export type CaseAction =
  | { readonly kind: "write"; readonly slot: Slot; readonly data: Float32Array }
  /** Runs the segment, waits, and compares its outputs. */
  | { readonly kind: "run"; readonly segment: number; readonly step: Step }
  /** Runs the segment without waiting and without looking. */
  | { readonly kind: "queue"; readonly segment: number; readonly step: Step }
  | { readonly kind: "save-state"; readonly sequence: number; readonly slot: number }
  | { readonly kind: "restore-state"; readonly slot: number; readonly sequence: number }
  | {
      readonly kind: "copy-sequence";
      readonly from: number;
      readonly to: number;
      readonly length: number;
    };
