/** Logits at vocabularies that need more workgroups than a dimension of a grid has: each of them is stored. */
import type { Backend } from "../../src/backends/backend.ts";
import { createProgramBuilder, stepOf } from "../../src/backends/conformance/program-builder.ts";
import type { Weight } from "../../src/ops/op.ts";
import { openCard, type Report, type Section } from "./section.ts";

/** Of Qwen (152k) and Gemma (256k). */
const vocabularies = [151_936, 262_144];
const halfOne = 0x3c00;

export const gridsSection: Section = {
  name: "grids",
  title: "Dispatch grids at vocabularies of 152k and 256k",
  deadline: { full: 30, short: 120 },
  run: async (context, report) => {
    using backend = await openCard(context);
    const isShort = context.mode === "short";
    const shape = { columns: isShort ? 32 : 1024, rowCounts: isShort ? [1, 8] : [1, 2, 4, 8, 32] };
    for (const vocabulary of vocabularies)
      await proveGrid(backend, { vocabulary, ...shape }, report);
  },
};

/** Row r of W is 1 in column r mod columns: each logit is an element of x, exactly. */
export async function proveGrid(
  backend: Backend,
  asked: {
    readonly vocabulary: number;
    readonly columns: number;
    readonly rowCounts: readonly number[];
  },
  report: Report,
): Promise<void> {
  const { vocabulary, columns, rowCounts } = asked;
  const halves = new Uint16Array(vocabulary * columns);
  for (let row = 0; row < vocabulary; row++) halves[row * columns + (row % columns)] = halfOne;
  const builder = createProgramBuilder();
  const x = builder.slot("x", columns);
  const y = builder.slot("y", vocabulary);
  const weight: Weight = {
    name: "output",
    type: "F16",
    rows: vocabulary,
    columns,
    bytes: { kind: "memory", data: new Uint8Array(halves.buffer) },
  };
  builder.segment([{ kind: "matmul", x, out: y, into: "assign", weight }], [y]);
  const program = builder.build({ maxRows: Math.max(...rowCounts) });
  using executable = await backend.compile(program);
  for (const rows of rowCounts) {
    const input = Float32Array.from({ length: rows * columns }, (_, i) => i + 1);
    executable.write(x, input);
    await executable.run(0, stepOf(program, Array(rows).fill({})));
    const found = executable.output(y);
    let wrong = 0;
    for (let i = 0; i < rows * vocabulary; i++) {
      const row = Math.floor(i / vocabulary);
      if (found[i] !== input[row * columns + ((i % vocabulary) % columns)]) wrong++;
    }
    const name = `${vocabulary} logits of ${rows} rows`;
    report.check(name, wrong === 0, `${wrong} of ${rows * vocabulary} wrong`);
  }
}
