/** A section of the proof: what it gets and how it tells what it found. Each runs in a process of its own. */
import {
  createWebGpuBackend,
  type WebGpuBackend,
} from "../../src/backends/webgpu/webgpu-backend.ts";
import type { Bytes } from "../../src/core/units.ts";
import type { AdapterFacts, Fact, Measure, Mode } from "./result.ts";

export interface Context {
  readonly mode: Mode;
  /** Of the adapter, as hearth run's --gpu takes it. */
  readonly gpu: number;
  readonly isSoftware: boolean;
  /** Of the card's memory, for one model. */
  readonly budget: Bytes;
  /** Where models and profiles may be written; sections share it. */
  readonly folder: string;
  /** Seconds until the section is ended, from now. */
  secondsLeft(): number;
}

export interface Report {
  check(name: string, holds: boolean, detail?: string): void;
  measure(measure: Measure): void;
  note(text: string): void;
  adapter(adapter: AdapterFacts): void;
  progress(text: string): void;
}

export interface Section {
  readonly name: string;
  readonly title: string;
  /** After so many seconds it is ended, and has failed. */
  readonly deadline: { readonly full: number; readonly short: number };
  run(context: Context, report: Report): Promise<void>;
}

export function reportTo(send: (fact: Fact) => void): Report {
  return {
    check: (name, holds, detail = "") => send({ kind: "check", check: { name, holds, detail } }),
    measure: (measure) => send({ kind: "measure", measure }),
    note: (text) => send({ kind: "note", text }),
    adapter: (adapter) => send({ kind: "adapter", adapter }),
    progress: (text) => send({ kind: "progress", text }),
  };
}

/** What sections on the card alone begin with. */
export function openCard({ gpu }: Pick<Context, "gpu">): Promise<WebGpuBackend> {
  return createWebGpuBackend({ adapter: gpu });
}
