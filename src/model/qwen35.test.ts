/** Files of qwen35: layers that propose tokens stay unused, and keys or tensors that do not fit are refused where they are. */
import { afterAll, describe, expect, it } from "vitest";
import { type Changes, modelFolder, zeros } from "../../test/fixtures/changed-model.ts";
import { openGguf } from "../gguf/open.ts";
import { metadataValue } from "../gguf/value.ts";
import { type Model, openModel } from "./model.ts";

const folder = modelFolder();
afterAll(() => folder[Symbol.dispose]());

const { u32, i32s } = metadataValue;

async function open(changes: Changes = {}): Promise<Model> {
  const args = "--arch qwen35 --layers 3 --full-attention-interval 2 --rope-dims 8 --type f32";
  return openModel(openGguf(await folder.write(args, changes)));
}

describe("a file of qwen35", () => {
  it("has attention in each layer of the interval, delta nets in the others", async () => {
    const { layers, hyperparameters } = await open();
    expect(layers.map(({ attention }) => attention.kind)).toEqual([
      "delta-net",
      "attention",
      "delta-net",
    ]);
    expect(hyperparameters.deltaNets?.[0]).toEqual({
      taps: 4,
      heads: 4,
      keyHeads: 2,
      keyRun: 1,
      keyWidth: 16,
      valueWidth: 16,
    });
  });

  it("may say for each layer whether it has a delta net, whatever the interval", async () => {
    const keys = {
      "qwen35.attention.recurrent_layers": i32s([1, 0, 1]),
      "qwen35.full_attention_interval": u32(3),
    };
    const kinds = (await open({ keys })).layers.map(({ attention }) => attention.kind);
    expect(kinds).toEqual(["delta-net", "attention", "delta-net"]);
  });

  it("may have layers that propose tokens: they stay unused, and a notice says so", async () => {
    const name = "blk.3.nextn.eh_proj.weight";
    const tensors = { [name]: zeros(name, "F32", [256, 128]) };
    const keys = {
      "qwen35.block_count": u32(4),
      "qwen35.nextn_predict_layers": u32(1),
    };
    const { layers, notices, hyperparameters } = await open({ keys, tensors });
    expect([layers.length, hyperparameters.layers]).toEqual([3, 3]);
    expect(notices.join()).toMatch(/1 layer behind the last one.*nextn.*not used/);
    await expect(open({ tensors })).rejects.toThrow(/blk\.3\.nextn\.eh_proj\.weight/);
  });

  it.each([
    ["ssm.conv_kernel", u32(1), /from 2 to 16/],
    ["ssm.conv_kernel", u32(0xffffffff), /from 2 to 16/],
    ["ssm.group_count", u32(3), /a divisor of the 4 heads/],
    ["ssm.group_count", u32(0), /from 1 to 1024/],
    ["ssm.inner_size", u32(65), /64, 4 heads of 16/],
    ["ssm.state_size", undefined, /ssm\.state_size/],
    ["full_attention_interval", u32(0), /from 1 to 1024/],
    ["attention.recurrent_layers", u32(1), /found 1, expected one flag for each layer/],
    ["attention.recurrent_layers", i32s([1, 0]), /found 2 values, expected one for each of/],
    ["attention.recurrent_layers", i32s([1, 0, 2]), /found 2, expected an integer from 0 to 1/],
    ["nextn_predict_layers", u32(3), /from 0 to 2/],
    ["rope.dimension_sections", i32s([2, 1, 1]), /four sections of 4 pairs/],
    ["rope.dimension_sections", i32s([0, 0, 0, 0]), /four sections of 4 pairs/],
    ["rope.dimension_sections", i32s([1, 1, 0, 2]), /four sections of 4 pairs/],
  ])("is refused where %s makes no sense", async (key, value, message) => {
    await expect(open({ keys: { [`qwen35.${key}`]: value } })).rejects.toThrow(message);
  });

  it.each([
    ["blk.0.attn_qkv.weight", [128, 127]],
    ["blk.0.ssm_conv1d.weight", [3, 128]],
    ["blk.0.ssm_a", [3]],
    ["blk.1.attn_q.weight", [128, 128]],
    ["blk.2.ssm_dt.bias", undefined],
  ])("is refused where %s does not fit", async (name, dimensions) => {
    const tensor = dimensions && zeros(name, "F32", dimensions);
    await expect(open({ tensors: { [name]: tensor } })).rejects.toThrow(name);
  });
});
