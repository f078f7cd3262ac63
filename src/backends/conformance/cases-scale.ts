/** A case of rows that are scaled and softly capped. */
import type { Op, Slot } from "../../ops/op.ts";
import type { CaseAction, ConformanceCase } from "./case.ts";
import { createCaseData } from "./case-data.ts";
import { createProgramBuilder, stepOf } from "./program-builder.ts";

/** Values far beyond the cap, both zeros and NaN; positions on both sides of where a stretch ends. */
export function scaleCase(): ConformanceCase {
  return {
    name: "scales rows, softly capped, by position, in place and not, and keeps NaN",
    scale: "small",
    traits: { op: "scale" },
    build: () => {
      const data = createCaseData(5);
      const builder = createProgramBuilder();
      const slot = (name: string): Slot => builder.slot(name, 77);
      const [x, plain, capped, placed] = [
        slot("x"),
        slot("plain"),
        slot("capped"),
        slot("placed"),
      ] as const;
      const byPosition = { length: 4, factors: Float32Array.of(1, 1.25, 0.5) };
      const ops: Op[] = [
        { kind: "scale", x, out: plain, factor: 0.37 },
        { kind: "scale", x, out: capped, factor: 1.5, cap: 30 },
        { kind: "scale", x, out: placed, factor: 2, byPosition },
        { kind: "scale", x, out: x, factor: 3, cap: 2, byPosition },
      ];
      builder.segment(ops, [plain, capped, placed, x]);
      const kv = { layers: [], contextLength: 12, sequences: 1 };
      const program = builder.build({ maxRows: 33, kv: { ...kv, type: "f32" } });
      const run = (positions: readonly number[]): readonly CaseAction[] => {
        const values = data.normal(positions.length * 77, 8);
        values.set([0, -0, 1e30, -1e30, 90, -90, Number.NaN, 1e-30]);
        const step = stepOf(
          program,
          positions.map((position) => ({ position })),
        );
        return [
          { kind: "write", slot: x, data: values },
          { kind: "run", segment: 0, step },
        ];
      };
      const many = Array.from({ length: 33 }, (_, row) => row % 12);
      return { program, actions: [...run([0, 3, 4, 7, 8, 11]), ...run([5]), ...run(many)] };
    },
  };
}
