/**
 * What a token of an answer takes beside its products: the small ops, attention at the beginning of a context, handing steps
 * to the threads, reading logits, sampling. Measured as it happens: the model's own program without its matrices, of which
 * the scheduler writes an answer. Reads no weight but vectors, whose values do not matter (holes will do).
 */
import { createHash } from "node:crypto";
import { createCpuBackend } from "../backends/cpu/cpu-backend.ts";
import { rowBytes } from "../core/dtype.ts";
import { median } from "../core/numbers.ts";
import { createRandom } from "../core/random.ts";
import type { Tokens } from "../core/units.ts";
import {
  isDuration,
  type KeptKind,
  KeptMeasurements,
} from "../devices/hardware/kept-measurements.ts";
import type { ModelProgram } from "../model/build-program.ts";
import type { FfnBlock, Op, OpOf, Weight } from "../ops/op.ts";
import { ActiveGeneration } from "../runtime/generation.ts";
import { resolveSampling } from "../runtime/sampling/sampling-options.ts";
import { Scheduler } from "../runtime/scheduler.ts";
import { Session } from "../runtime/session.ts";
import { programOf } from "./program-of.ts";
import type { SparseSetup } from "./resolve-sparsity.ts";

/** By `nameOf`. */
const kept: KeptKind<number> = {
  file: "overheads",
  entries: "overheads",
  version: 1,
  read: (seconds) => (isDuration(seconds) ? seconds : undefined),
};
/** As long as the answers of `hearth bench`. */
const answerTokens: Tokens = 64;
/** Timed answers, of which the median counts; one takes some milliseconds. */
const answers = 9;
/** The first answers, which compile JavaScript. */
const warmUps = 6;
/** Neurons that are left of a block that looks for those that fire: as many as a kernel takes at once. */
const narrowNeurons = 16;

/** Seconds a token, on this machine with so many threads: what was measured before, else a measurement now. */
export async function tokenOverhead(
  setup: SparseSetup,
  threads: number | undefined,
): Promise<number> {
  const { contextLength } = setup.options;
  const options = {
    ...setup.options,
    contextLength: Math.min(contextLength, answerTokens + 2),
    sequences: 1,
    batchSize: 1,
  };
  const frame = withoutMatrices(
    programOf({ ...setup, options, maxOutputs: 1 }, { output: "logits" }),
  );
  const measurements = new KeptMeasurements(kept, threads);
  const known = measurements.all();
  const name = nameOf(frame);
  const before = known.get(name);
  if (before !== undefined) return before;
  const seconds = await measure(frame, threads);
  await measurements.keep(new Map(known).set(name, seconds));
  return seconds;
}

/**
 * Ops that multiply with a matrix are left out; of a block that chooses its neurons, the choosing is kept. Logits, which nothing
 * computes any more, are not scaled either: from step to step they would grow beyond all numbers.
 */
function withoutMatrices({ program, slots }: ModelProgram): ModelProgram {
  const segments = program.segments.map(({ name, ops, outputs }) => ({
    name,
    ops: ops.filter((op) => op.kind !== "scale" || op.out !== slots.logits).flatMap(withoutMatrix),
    outputs,
  }));
  return { program: { ...program, segments }, slots };
}

function withoutMatrix(op: Op): readonly Op[] {
  switch (op.kind) {
    case "embed":
    case "matmul":
    case "experts":
      return [];
    case "ffn":
      return op.block.method.kind === "gate" ? [narrowed(op)] : [];
    default:
      return [op];
  }
}

/** With a few neurons, none of which fires. What a dense block takes is in the times of its rows. */
function narrowed(op: OpOf<"ffn">): Op {
  const { layer, dim, gating, activation, gate, down, method } = op.block;
  const rows = narrow(dim);
  const block: FfnBlock = {
    layer,
    dim,
    neurons: narrowNeurons,
    gating,
    activation,
    ...(gate && { gate: rows }),
    up: rows,
    down:
      down.layout === "rows"
        ? { layout: "rows", weight: rows }
        : { layout: "columns", weight: { ...rows, rows: dim, columns: narrowNeurons } },
    method,
  };
  return { ...op, block };
}

/** Zeros, f16 [narrowNeurons, columns]. */
function narrow(columns: number): Weight {
  const data = new Uint8Array(narrowNeurons * rowBytes("F16", columns));
  const bytes = { kind: "memory", data } as const;
  return { name: "narrow", type: "F16", rows: narrowNeurons, columns, bytes };
}

/** Programs of one shape have one name, wherever their weights lie. */
function nameOf({ program }: ModelProgram): string {
  const shape = JSON.stringify(program, (key, value: unknown) =>
    key === "bytes" ? undefined : value,
  );
  return createHash("sha256").update(shape).digest("hex").slice(0, 32);
}

async function measure(
  { program, slots }: ModelProgram,
  threads: number | undefined,
): Promise<number> {
  const { logits } = slots;
  if (logits === undefined) throw new Error("a program with logits has a slot for them");
  using cpu = createCpuBackend(threads === undefined ? {} : { threads });
  using session = await Session.open(cpu, program, { logits });
  const random = createRandom(1);
  session.executable.write(
    logits,
    Float32Array.from({ length: logits.width }, () => random.normal()),
  );
  const scheduler = new Scheduler(session);
  const seconds: number[] = [];
  for (let run = 0; run < warmUps + answers; run++) {
    const { timings } = await answer(scheduler, logits.width, run);
    if (run >= warmUps) seconds.push(timings.decodeMilliseconds / 1000 / answerTokens);
  }
  return median(seconds);
}

/** From another token each time: nothing of the last answer is used again. */
function answer(
  scheduler: Scheduler,
  vocabulary: number,
  first: number,
): ActiveGeneration["result"] {
  const settings = {
    sampling: resolveSampling({ seed: 1 }, vocabulary),
    maxTokens: answerTokens + 1,
    stop: [],
    endTokens: new Set<number>(),
    whenFull: "finish",
    vocabulary,
  } as const;
  const texts = { push: () => "a", hiddenText: () => "", end: () => "" };
  const generation = new ActiveGeneration([first % vocabulary], settings, texts);
  scheduler.submit(generation);
  return generation.result;
}
