/** Runs one case on a backend and beside it on the reference with bounds; reports every element that is out of bounds. */
import type { Slot } from "../../ops/op.ts";
import { emptyStep, type Step } from "../../ops/program.ts";
import type { Backend, Executable } from "../backend.ts";
import { type Arithmetic, roundoff } from "../tolerance.ts";
import type { Bounded } from "./bound-state.ts";
import { type BoundedRun, createBoundedRun } from "./bounded-run.ts";
import type { CaseAction, CaseScript } from "./case.ts";
import { programByChannels } from "./channels.ts";

/** What a correct backend gives for the outputs of each run of a case, in order. */
export interface CaseExpectation {
  readonly outputs: readonly ExpectedOutput[];
  readonly uncertainNeurons: number;
}

interface ExpectedOutput extends Bounded {
  /** As right as the other, element by element: what comes of reading channel-major copies in place of the rows. */
  readonly byChannels?: Bounded;
}

export interface CaseResult {
  /** One line for each output that is wrong, with its first and worst element; empty when all fits. */
  readonly problems: readonly string[];
  readonly compared: number;
  /** The largest share of its bound that an element used up. */
  readonly worst: number;
}

export async function expectCase(
  script: CaseScript,
  arithmetic: Arithmetic,
): Promise<CaseExpectation> {
  const byRows = await expectProgram(script, arithmetic);
  const program = programByChannels(script.program);
  if (program === undefined) return byRows;
  const byChannels = await expectProgram({ ...script, program }, arithmetic);
  return {
    outputs: byRows.outputs.map((output, i) => ({
      ...output,
      byChannels: byChannels.outputs[i]!,
    })),
    uncertainNeurons: byRows.uncertainNeurons + byChannels.uncertainNeurons,
  };
}

async function expectProgram(
  { program, actions }: CaseScript,
  arithmetic: Arithmetic,
): Promise<CaseExpectation> {
  const run = await createBoundedRun(program, arithmetic);
  const outputs: Bounded[] = [];
  for (const action of actions) {
    follow(run, action);
    if (action.kind !== "run") continue;
    const slots = program.segments[action.segment]!.outputs;
    outputs.push(...slots.map((slot) => run.output(slot, action.step)));
  }
  return { outputs, uncertainNeurons: run.uncertainNeurons() };
}

export async function checkCase(
  backend: Backend,
  script: CaseScript,
  { outputs }: CaseExpectation,
): Promise<CaseResult> {
  using executable = await backend.compile(script.program);
  const problems: string[] = [];
  let compared = 0;
  let worst = 0;
  const wanted = outputs.values();
  for (const [index, action] of script.actions.entries()) {
    await perform(executable, action);
    if (action.kind !== "run") continue;
    for (const slot of script.program.segments[action.segment]!.outputs) {
      const expected = wanted.next().value!;
      const found = compare(slot, executable.output(slot), expected);
      compared += expected.values.length;
      worst = Math.max(worst, found.worst);
      if (found.problem !== undefined) problems.push(`action ${index}: ${found.problem}`);
    }
  }
  return { problems, compared, worst };
}

/** A step is read before run returns: it is spoilt as soon as the call is back. */
async function perform(executable: Executable, action: CaseAction): Promise<void> {
  switch (action.kind) {
    case "write":
      executable.write(action.slot, action.data);
      return;
    case "run":
    case "queue": {
      const step = structuredClone(action.step);
      const done = executable.run(action.segment, step);
      spoil(step);
      if (action.kind === "run") await done;
      else done.catch(() => {});
      return;
    }
    case "copy-sequence":
      await executable.copySequence(action.from, action.to, action.length);
      return;
    case "save-state":
      await executable.saveState(action.sequence, action.slot);
      return;
    case "restore-state":
      await executable.restoreState(action.slot, action.sequence);
      return;
    default:
      action satisfies never;
  }
}

function spoil(step: Step): void {
  emptyStep(step);
  for (const data of [step.sequence, step.position, step.token, step.outputRow]) data.fill(-1);
}

function follow(expected: BoundedRun, action: CaseAction): void {
  switch (action.kind) {
    case "write":
      expected.write(action.slot, action.data);
      break;
    case "run":
    case "queue":
      expected.run(action.segment, action.step);
      break;
    case "copy-sequence":
      expected.copySequence(action.from, action.to, action.length);
      break;
    case "save-state":
      expected.saveState(action.sequence, action.slot);
      break;
    case "restore-state":
      expected.restoreState(action.slot, action.sequence);
      break;
    default:
      action satisfies never;
  }
}

interface OutputComparison {
  readonly problem: string | undefined;
  readonly worst: number;
}

function compare(slot: Slot, got: Float32Array, wanted: ExpectedOutput): OutputComparison {
  const { values, errors, byChannels } = wanted;
  if (got.length !== values.length) {
    const problem = `${slot.name} has ${got.length} elements, not ${values.length}`;
    return { problem, worst: Number.POSITIVE_INFINITY };
  }
  let wrong = 0;
  let worst = 0;
  let worstAt = 0;
  let firstAt = -1;
  for (let i = 0; i < values.length; i++) {
    const byRows = usedShare(got[i]!, wanted, i);
    const share =
      byChannels === undefined ? byRows : Math.min(byRows, usedShare(got[i]!, byChannels, i));
    if (share > 1) {
      wrong++;
      if (firstAt < 0) firstAt = i;
    }
    if (share > worst) {
      worst = share;
      worstAt = i;
    }
  }
  if (wrong === 0) return { problem: undefined, worst };
  const element = (i: number): string =>
    `[${Math.floor(i / slot.width)}, ${i % slot.width}] is ${got[i]}, not ${values[i]} ± ${errors[i]}`;
  const problem = `${slot.name}: ${wrong} of ${values.length} wrong; first ${element(firstAt)}; worst ${element(worstAt)}`;
  return { problem, worst };
}

/** The share of its bound that an element uses up; infinite where nothing can be said, so that NaN is wrong. */
function usedShare(got: number, { values, errors }: Bounded, at: number): number {
  const value = values[at]!;
  // A bound that allows everything is a fault of the case; so is a NaN that no op has kept on purpose.
  if (!Number.isFinite(errors[at]!)) return Number.POSITIVE_INFINITY;
  if (Object.is(got, value)) return 0;
  // One rounding of the reference's own value to f32 is in no op's bound.
  const allowed = errors[at]! + roundoff * Math.abs(value);
  const share = got === value ? 0 : Math.abs(got - value) / allowed;
  return Number.isNaN(share) ? Number.POSITIVE_INFINITY : share;
}
