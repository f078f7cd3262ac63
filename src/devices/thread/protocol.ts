/**
 * What an engine's thread and its device's thread say to each other: one message each way for a run.
 * Rows of steps and outputs lie in shared memory; errors cross with their class and fields.
 */
import type {
  ChannelCounts,
  Executable,
  FfnCounts,
  LoadProgress,
  NeuronChange,
  NeuronCounts,
  ShownRow,
  StatePlace,
} from "../../backends/backend.ts";
import type { ExecutableReport } from "../../backends/executable-report.ts";
import * as errors from "../../core/errors.ts";
import type { Program } from "../../ops/program.ts";
import type { StatePart } from "../../ops/state-parts.ts";
import type { DeviceSpec } from "./device.ts";

/** Each request is answered once, by the same id, in any order. */
export type Request =
  | { readonly kind: "open"; readonly id: number; readonly spec: DeviceSpec }
  | {
      readonly kind: "compile";
      readonly id: number;
      readonly program: Program;
      readonly shared: SharedMemory;
    }
  | { readonly kind: "run"; readonly id: number; readonly segment: number; readonly step: number }
  | {
      readonly kind: "write";
      readonly id: number;
      readonly slot: number;
      readonly data: Float32Array;
    }
  | {
      readonly kind: "copy";
      readonly id: number;
      readonly from: number;
      readonly to: number;
      readonly length: number;
    }
  | { readonly kind: "save"; readonly id: number; readonly sequence: number; readonly slot: number }
  | {
      readonly kind: "restore";
      readonly id: number;
      readonly slot: number;
      readonly sequence: number;
    }
  | {
      readonly kind: "read-state";
      readonly id: number;
      readonly at: StatePlace;
      readonly part: StatePart;
    }
  | {
      readonly kind: "write-state";
      readonly id: number;
      readonly at: StatePlace;
      readonly part: StatePart;
      readonly bytes: Uint8Array;
    }
  | { readonly kind: "report"; readonly id: number }
  | { readonly kind: "neurons"; readonly id: number }
  | { readonly kind: "shown"; readonly id: number }
  | { readonly kind: "replace"; readonly id: number; readonly change: NeuronChange }
  | { readonly kind: "finish"; readonly id: number }
  | { readonly kind: "abort"; readonly id: number }
  /** `closed` becomes 1, with a notification, when the device is closed. */
  | { readonly kind: "close"; readonly id: number; readonly closed: Int32Array };

export type Answer =
  | { readonly kind: "progress"; readonly id: number; readonly progress: LoadProgress }
  | { readonly kind: "compiling"; readonly id: number; readonly kernels: number }
  | { readonly kind: "opened"; readonly id: number; readonly description: string }
  | { readonly kind: "compiled"; readonly id: number; readonly facts: ExecutableFacts }
  | {
      readonly kind: "ran";
      readonly id: number;
      readonly ffn: readonly FfnCounts[];
      readonly channels: readonly ChannelCounts[];
    }
  | { readonly kind: "done"; readonly id: number }
  | { readonly kind: "state"; readonly id: number; readonly bytes: Uint8Array }
  | { readonly kind: "report"; readonly id: number; readonly report: ExecutableReport }
  | { readonly kind: "neurons"; readonly id: number; readonly counts: readonly NeuronCounts[] }
  | { readonly kind: "shown"; readonly id: number; readonly shown: ShownRow }
  | { readonly kind: "failed"; readonly id: number; readonly error: PlainError };

/** What does not change while a program is there. */
export type ExecutableFacts = Pick<Executable, "memory" | "counts" | "canReplaceNeurons">;

/** Steps that may be on the way at once, and an output array for each output slot of the program. */
export interface SharedMemory {
  readonly steps: readonly SharedStep[];
  /** By slot id; [rows, width] with room for all rows. */
  readonly outputs: ReadonlyMap<number, SharedArrayBuffer>;
}

/** Int32: rowCount, answerRows, proposalRows, outputCount, shownOutput, shownRow, then sequence, position, token [maxRows] and outputRow [maxOutputs]. */
export type SharedStep = SharedArrayBuffer;

export interface PlainError {
  readonly name: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export function toPlainError(error: unknown): PlainError {
  if (!(error instanceof Error)) return { name: "Error", message: String(error), fields: {} };
  const fields = Object.fromEntries(
    Object.entries(error).filter(([, value]) => typeof value !== "function"),
  );
  return { name: error.name, message: error.message, fields };
}

/** An error of the same class, with the same message and fields. */
export function fromPlainError({ name, message, fields }: PlainError): Error {
  const error = new Error(message);
  const found = Object.entries(errors).find(([known]) => known === name);
  if (found !== undefined) Object.setPrototypeOf(error, found[1].prototype);
  return Object.assign(error, { name }, fields);
}
