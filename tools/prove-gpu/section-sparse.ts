/**
 * The neuron-aware operators at 3, 10 and 50 % active neurons, beside the card's copy. Through whole blocks, so that kernels
 * may change: rows by a list (lists) are what a gated block takes longer than an ungated one; down by neurons (axpy) is what
 * remains of an ungated one; compaction is what a block with hardly an active neuron takes beside its predictor's products.
 */
import { stepOf } from "../../src/backends/conformance/program-builder.ts";
import type { GpuExecutable } from "../../src/backends/webgpu/executable.ts";
import { rowBytes, type WeightType } from "../../src/core/dtype.ts";
import { MiB } from "../../src/core/units.ts";
import { type Context, openCard, type Report, type Section } from "./section.ts";
import { dialOf, type SparseShape, sparseProgram, sparseSegments } from "./sparse-program.ts";
import { hostNote, patienceOf, timePerRun } from "./timing.ts";

const shares = [0.03, 0.1, 0.5];
/** What is wanted of the copy's bandwidth at 10 %. */
const target = 0.6;

export const sparseSection: Section = {
  name: "sparse",
  title: "Lists, axpy and compaction at 3, 10 and 50 % active",
  deadline: { full: 60, short: 180 },
  run: async (context, report) => {
    const isShort = context.mode === "short";
    using backend = await openCard(context);
    for (const type of isShort ? (["Q4_0"] as const) : (["F16", "Q4_0"] as const)) {
      const shape = isShort
        ? { neurons: 1024, columns: 256, blocks: 1, hasGates: true }
        : fullShape(type);
      const { program, x, dial } = sparseProgram({ type, ...shape });
      using executable = await backend.compile(program);
      executable.write(x, new Float32Array(shape.columns).fill(0.5));
      const set = (share: number, order: number): void =>
        executable.write(dial, dialOf(shape.columns, share, order));
      const step = stepOf(program, [{}]);
      await measure({ executable, step, set, shape: { type, ...shape } }, { context, report });
    }
  },
};

/** A 7B model's block; so many of them that no cache holds the active rows of a tenth. */
function fullShape(type: WeightType): Omit<SparseShape, "type"> {
  const [neurons, columns] = [11_008, 4096];
  const active = 3 * 0.1 * neurons * rowBytes(type, columns);
  return {
    neurons,
    columns,
    hasGates: true,
    blocks: Math.min(16, Math.ceil((128 * MiB) / active)),
  };
}

interface SparseWork {
  readonly executable: GpuExecutable;
  readonly step: ReturnType<typeof stepOf>;
  readonly set: (share: number, order: number) => void;
  readonly shape: SparseShape;
}

async function measure(
  { executable, step, set, shape }: SparseWork,
  { context, report }: { readonly context: Context; readonly report: Report },
): Promise<void> {
  const { type, neurons, columns, blocks } = shape;
  const time = async (segment: keyof typeof sparseSegments): Promise<number> => {
    const { nothing: barrier } = sparseSegments;
    const work = { executable, segment: sparseSegments[segment], barrier, step };
    const { seconds, isHostBound } = await timePerRun(work, patienceOf[context.mode]);
    if (isHostBound) report.note(hostNote(`${type}, ${segment}`));
    return seconds / blocks;
  };
  const against = { kind: "copy" } as const;
  const rate = (name: string, bytes: number, seconds: number, wanted?: number): void =>
    report.measure({
      name: `${type} ${neurons}×${columns}: ${name}`,
      unit: "GB/s",
      value: bytes / seconds / 1e9,
      against: { ...against, ...(wanted !== undefined && { target: wanted }) },
    });
  const perNeuron = rowBytes(type, columns);
  rate("dense block", 2 * neurons * perNeuron, await time("dense"));
  set(0.5 / neurons, 0);
  const predictor = await time("predictor");
  const resting = await time("ungated");
  const micros = (seconds: number): number => Math.max(0, 1e6 * seconds);
  report.measure({
    name: `${type}: predictor's products of a block`,
    unit: "µs",
    value: micros(predictor),
  });
  report.measure({
    name: `${type}: compaction and empty lists of a block`,
    unit: "µs",
    value: micros(resting - predictor),
  });
  for (const [order, share] of shares.entries()) {
    set(share, order + 1);
    await checkShare({ executable, step, share, neurons }, { type, report });
    const ungated = await time("ungated");
    const gated = await time("gated");
    const active = Math.round(share * neurons);
    const wanted = share === 0.1 ? target : undefined;
    const at = `at ${100 * share} %`;
    const list = gated - ungated;
    rate(`ungated block ${at}`, 2 * active * perNeuron, ungated);
    // Differences of times that vary: without a positive one there is nothing to say.
    if (list <= 0) report.note(`${type}: lists ${at} take no longer than times vary`);
    else rate(`lists ${at}`, active * perNeuron, list, wanted);
    const axpy = ungated - resting - Math.max(0, list);
    if (axpy <= 0) report.note(`${type}: axpy ${at} takes no longer than times vary`);
    else rate(`axpy ${at}`, active * perNeuron, axpy, wanted);
  }
}

/** The kernels' own count of active neurons is the share that was asked for, within one neuron and the rounding to halves. */
async function checkShare(
  asked: Pick<SparseWork, "executable" | "step"> & {
    readonly share: number;
    readonly neurons: number;
  },
  { type, report }: { readonly type: WeightType; readonly report: Report },
): Promise<void> {
  const { executable, step, share, neurons } = asked;
  executable.ffnCounts();
  await executable.run(sparseSegments.ungated, step);
  await executable.run(sparseSegments.nothing, step);
  const counts = executable.ffnCounts();
  const active = counts.reduce((sum, count) => sum + count.active, 0);
  const all = counts.reduce((sum, count) => sum + count.rows * count.neurons, 0);
  const isRight = all > 0 && Math.abs(active / all - share) <= 0.002 * share + 2 / neurons;
  report.check(`${type}: ${100 * share} % are active`, isRight, `${active} of ${all}`);
}
