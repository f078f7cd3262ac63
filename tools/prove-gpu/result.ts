/** What a proof on a card found, as data: it is written again after every fact, so that a file of it is whole at every moment. */

/** Something that must hold. */
export interface Check {
  readonly name: string;
  readonly holds: boolean;
  /** What was found. */
  readonly detail: string;
}

/** What a measured value is held against. */
type Yardstick =
  /** Bytes per second of a kernel, beside what the card copies; `target`: the share of it that is wanted. */
  | { readonly kind: "copy"; readonly target?: number }
  /** What the plan predicted, in the same unit. */
  | { readonly kind: "prediction"; readonly value: number }
  /** The largest value that is wanted. */
  | { readonly kind: "at most"; readonly value: number };

export interface Measure {
  readonly name: string;
  /** "GB/s" are 10^9 bytes per second. */
  readonly unit: "GB/s" | "TFLOP/s" | "µs" | "tokens/s" | "s" | "MiB";
  /** A median where it was measured several times. */
  readonly value: number;
  readonly against?: Yardstick;
}

/** What a section tells while it runs. */
export type Fact =
  | { readonly kind: "check"; readonly check: Check }
  | { readonly kind: "measure"; readonly measure: Measure }
  | { readonly kind: "note"; readonly text: string }
  /** The card that all is about. */
  | { readonly kind: "adapter"; readonly adapter: AdapterFacts }
  /** Why the section could not go on. */
  | { readonly kind: "fault"; readonly text: string }
  /** For whoever watches; nothing is kept of it. */
  | { readonly kind: "progress"; readonly text: string };

export interface SectionResult {
  readonly name: string;
  readonly title: string;
  state: "waiting" | "running" | "passed" | "failed";
  seconds: number;
  /** Why it failed, beside checks that do not hold: its deadline, a crash. */
  readonly faults: string[];
  readonly checks: Check[];
  readonly measures: Measure[];
  readonly notes: string[];
}

/** "short": less of everything, for software drivers. */
export type Mode = "full" | "short";

export interface ProofResult {
  readonly hearth_prove_gpu: 1;
  readonly date: string;
  readonly hearth: string;
  readonly commit: string | null;
  readonly mode: Mode;
  /** False where only some sections were asked for: then it proves these alone. */
  readonly isWhole: boolean;
  adapter: AdapterFacts | null;
  readonly system: string;
  readonly sections: readonly SectionResult[];
  seconds: number;
  state: "running" | "passed" | "failed";
}

export interface AdapterFacts {
  readonly name: string;
  readonly kind: string;
  readonly backend: string;
}

export function waitingSection(name: string, title: string): SectionResult {
  return {
    name,
    title,
    state: "waiting",
    seconds: 0,
    faults: [],
    checks: [],
    measures: [],
    notes: [],
  };
}

/** A section that examined nothing has failed. */
export function judgeSection(section: SectionResult): void {
  const { checks, faults } = section;
  if (checks.length === 0 && faults.length === 0) faults.push("nothing was examined");
  const holds = faults.length === 0 && checks.every((check) => check.holds);
  section.state = holds ? "passed" : "failed";
}

/** One section that did not pass, or none at all, fails the whole. */
export function judgeProof(result: ProofResult): void {
  const passed = result.sections.filter(({ state }) => state === "passed").length;
  result.state = passed > 0 && passed === result.sections.length ? "passed" : "failed";
}
