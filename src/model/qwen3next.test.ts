/** Files of qwen3next: heads that follow one another share keys, strengths stand before decays; the first files are refused. */
import { afterAll, expect, it } from "vitest";
import { type Changes, modelFolder, zeros } from "../../test/fixtures/changed-model.ts";
import { openGguf } from "../gguf/open.ts";
import { buildProgram } from "./build-program.ts";
import { type Model, openModel } from "./model.ts";

const folder = modelFolder();
afterAll(() => folder[Symbol.dispose]());

async function open(changes: Changes = {}): Promise<Model> {
  const args = "--arch qwen3next --expert-ffn 64 --full-attention-interval 2 --rope-dims 8";
  return openModel(openGguf(await folder.write(`${args} --type f32`, changes)));
}

it("two heads in a row share a key, and read their gates where ssm_ba has them", async () => {
  const limits = {
    contextLength: 8,
    sequences: 1,
    maxRows: 8,
    maxOutputs: 1,
    kvType: "f32",
  } as const;
  const { program } = buildProgram(await open(), { ...limits, output: "none" });
  const ops = program.segments.flatMap((segment) => segment.ops);
  const rule = ops.find((op) => op.kind === "delta-rule");
  expect(rule).toMatchObject({ keyHeads: 2, keyRun: 2 });
  const parts = ops.filter((op) => op.kind === "part" && op.x.name === "state gates");
  expect(parts).toMatchObject([
    { out: rule?.strength, groups: 2, first: 0 },
    { out: rule?.decay, groups: 2, first: 2 },
  ]);
});

it("a file with q, k, v and gate in one tensor is refused by its name", async () => {
  const name = "blk.0.ssm_in.weight";
  const tensors = {
    [name]: zeros(name, "F32", [128, 192]),
    "blk.0.attn_qkv.weight": undefined,
    "blk.0.attn_gate.weight": undefined,
  };
  await expect(open({ tensors })).rejects.toThrow(/blk\.0\.ssm_in\.weight.*newer converter/s);
});
