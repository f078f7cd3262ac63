/**
 * Products of every weight type: bytes of weights per second with one row, as in decode, and operations per second with
 * 2, 16 and 128 rows. Each is checked before it is timed. Types are read from the engine's own list.
 */
import type { Backend } from "../../src/backends/backend.ts";
import { createProgramBuilder, stepOf } from "../../src/backends/conformance/program-builder.ts";
import { rowBytes, type WeightType, weightTypes } from "../../src/core/dtype.ts";
import { MiB } from "../../src/core/units.ts";
import type { Op } from "../../src/ops/op.ts";
import { type Context, openCard, type Report, type Section } from "./section.ts";
import { hostNote, patienceOf, timePerRun } from "./timing.ts";
import { inputOf, productProblem, weightData, weightsOf } from "./weight-data.ts";

/** Rows × columns of attention and of down in a model of 7B, of up in one of 70B. */
const fullShapes = [
  [4096, 4096],
  [4096, 11_008],
  [28_672, 8192],
] as const;
const shortShapes = [[256, 512]] as const;
/** Twice the caches of today's cards and more (126 MB on a B200): no weight is found in one. */
const distinctBytes = 256 * MiB;
/** What the issue wants of the copy's bandwidth: F16 85 %, four bits 70 %. */
const targets: Partial<Record<WeightType, number>> = { F16: 0.85, Q4_0: 0.7, Q4_K: 0.7 };

export const productsSection: Section = {
  name: "products",
  title: "Products with one row, by weight type",
  deadline: { full: 120, short: 240 },
  run: async (context, report) => {
    using backend = await openCard(context);
    for (const type of weightTypes) {
      for (const [rows, columns] of context.mode === "short" ? shortShapes : fullShapes)
        await measureDecode(backend, { type, rows, columns }, { context, report });
    }
  },
};

/** Types of prompts: the others differ in how a tile is decoded, once for all its rows. */
const tiledTypes: readonly WeightType[] = ["F16", "Q8_0", "Q4_0", "Q4_K"];

export const rowsSection: Section = {
  name: "rows",
  title: "Products with 2, 16 and 128 rows",
  deadline: { full: 45, short: 240 },
  run: async (context, report) => {
    using backend = await openCard(context);
    const isShort = context.mode === "short";
    const side = isShort ? 256 : 4096;
    for (const type of isShort ? (["F16", "Q4_0"] as const) : tiledTypes) {
      for (const vectors of [2, 16, 128])
        await measureRows(
          backend,
          { type, rows: side, columns: side, vectors },
          { context, report },
        );
    }
  },
};

interface ProductShape {
  readonly type: WeightType;
  readonly rows: number;
  readonly columns: number;
}

interface Asked {
  readonly context: Context;
  readonly report: Report;
}

async function measureDecode(
  backend: Backend,
  shape: ProductShape,
  { context, report }: Asked,
): Promise<void> {
  const { type, rows, columns } = shape;
  const bytes = rows * rowBytes(type, columns);
  const count = context.mode === "short" ? 2 : Math.ceil(distinctBytes / bytes);
  const name = `${type} ${rows}×${columns}`;
  const seconds = await timeProducts(
    backend,
    { ...shape, count, vectors: 1 },
    { context, report, name },
  );
  const target = targets[type];
  report.measure({
    name,
    unit: "GB/s",
    value: (count * bytes) / seconds / 1e9,
    against: { kind: "copy", ...(target !== undefined && { target }) },
  });
}

async function measureRows(
  backend: Backend,
  { vectors, ...shape }: ProductShape & { readonly vectors: number },
  { context, report }: Asked,
): Promise<void> {
  const { type, rows, columns } = shape;
  const name = `${type} ${rows}×${columns}, ${vectors} rows`;
  const count = context.mode === "short" ? 1 : 4;
  const seconds = await timeProducts(
    backend,
    { ...shape, count, vectors },
    { context, report, name },
  );
  const value = (2 * rows * columns * vectors * count) / seconds / 1e12;
  report.measure({ name, unit: "TFLOP/s", value });
}

/** Seconds of `count` products one behind the other; all write y, so that each waits for the one before, as in decode. */
async function timeProducts(
  backend: Backend,
  { count, vectors, ...shape }: ProductShape & { readonly count: number; readonly vectors: number },
  { context, report, name }: Asked & { readonly name: string },
): Promise<number> {
  const { rows, columns } = shape;
  const builder = createProgramBuilder();
  const done = builder.slot("done", 1);
  const x = builder.slot("x", columns);
  const y = builder.slot("y", rows);
  const data = weightData(shape);
  const weights = weightsOf(shape, data, { count, name });
  const ops = weights.map((weight): Op => ({ kind: "matmul", x, out: y, into: "assign", weight }));
  builder.segment(ops, []);
  builder.segment([], [done]);
  builder.segment(ops.slice(0, 1), [y]);
  const program = builder.build({ maxRows: vectors });
  using executable = await backend.compile(program);
  const step = stepOf(program, Array(vectors).fill({}));
  const input = inputOf(vectors * columns);
  executable.write(x, input);
  await executable.run(2, step);
  const output = executable.output(y);
  const problems = Array.from({ length: vectors }, (_, row) =>
    productProblem(
      { ...shape, data },
      input.subarray(row * columns, (row + 1) * columns),
      output.subarray(row * rows, (row + 1) * rows),
    ),
  ).filter((problem) => problem !== undefined);
  report.check(name, problems.length === 0, problems[0] ?? "right");
  const work = { executable, segment: 0, barrier: 1, step };
  const { seconds, isHostBound } = await timePerRun(work, patienceOf[context.mode]);
  if (isHostBound) report.note(hostNote(name));
  return seconds;
}
