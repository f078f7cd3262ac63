/** Which layers of a SmallThinker rotate. */
import { afterAll, expect, it } from "vitest";
import { modelFolder } from "../../test/fixtures/changed-model.ts";
import { openGguf } from "../gguf/open.ts";
import { buildProgram } from "./build-program.ts";
import { openModel } from "./model.ts";

const folder = modelFolder();
afterAll(() => folder[Symbol.dispose]());

const shape = "--arch smallthinker --dim 32 --ffn 32 --heads 2 --experts 4 --expert-ffn 32";
const limits = { contextLength: 64, sequences: 1, maxRows: 1, maxOutputs: 1 } as const;

it.each([
  ["all without windows", "--layers 5 --window off", [0, 1, 2, 3, 4]],
  ["all but every fourth with them", "--layers 5 --window 4096", [1, 2, 3]],
  ["all of four, as in llama.cpp, with them too", "--layers 4 --window 4096", [0, 1, 2, 3]],
])("%s", async (_, options, layers) => {
  const path = await folder.write(`${shape} ${options}`, {});
  const { program } = buildProgram(openModel(openGguf(path)), {
    ...limits,
    kvType: "f32",
    output: "logits",
  });
  const rotated: number[] = [];
  let ropes = 0;
  for (const op of program.segments.flatMap(({ ops }) => ops)) {
    if (op.kind === "rope") ropes++;
    if (op.kind !== "attention") continue;
    if (ropes === 2) rotated.push(op.layer);
    ropes = 0;
  }
  expect(rotated).toEqual(layers);
});
