import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { damagedSidecar } from "../../../test/fixtures/damaged-sidecar.ts";
import {
  everything,
  halves,
  sidecarModel as model,
  predictor,
} from "../../../test/fixtures/sidecar-contents.ts";
import { FileFormatError } from "../../core/errors.ts";
import { openGguf } from "../../gguf/open.ts";
import { type MetadataValue, metadataValue } from "../../gguf/value.ts";
import { readTensorBytes } from "../../io/tensor-bytes.ts";
import { channelsName, columnNormsName, keys, tensorName } from "./names.ts";
import { findSidecar, openSidecar } from "./read.ts";
import { type MatrixToWrite, type SidecarChanges, sidecarPathOf } from "./sidecar.ts";
import { updateSidecar } from "./write.ts";

const folder = mkdtempSync(join(tmpdir(), "hearth-sidecar-"));
afterAll(() => rmSync(folder, { recursive: true }));

let made = 0;
async function makeSidecar(changes: SidecarChanges): Promise<string> {
  const path = join(folder, `model-${made++}.sparsity.gguf`);
  await updateSidecar(path, model, changes);
  return path;
}

describe("a sidecar", () => {
  it("is beside the model and named after it", () => {
    expect(sidecarPathOf("/x/model.gguf")).toBe("/x/model.sparsity.gguf");
    expect(sidecarPathOf("/x/model-Q4.GGUF")).toBe("/x/model-Q4.sparsity.gguf");
    expect(sidecarPathOf("/x/model")).toBe("/x/model.sparsity.gguf");
  });

  it("gives back everything that was put in", async () => {
    const path = await makeSidecar(everything);
    const read = openSidecar(path, model);
    const { profile, learnt, downNorms, sign, thresholds, recommendation } = everything;
    expect(read).toMatchObject({ profile, learnt, downNorms, sign, thresholds, recommendation });
    expect(read.columnNorms).toEqual(everything.columnNorms);
    expect(read.channels.map(({ k, up }) => [k?.rows, k?.columns, up?.columns])).toEqual([
      [64, 16, 96],
      [64, 16, 128],
    ]);
    expect(read.downRows.map((rows) => [rows?.type, rows?.rows, rows?.columns])).toEqual([
      ["F16", 96, 64],
      ["F16", 128, 64],
    ]);
    const bytes = read.downRows[1]?.bytes;
    expect(bytes?.kind === "file" && readTensorBytes(bytes)).toEqual(
      new Uint8Array(128 * 64 * 2).fill(8),
    );
    expect(
      read.predictors.map((one) => [
        one?.fc1.rows,
        one?.fc2.rows,
        one?.fc2.columns,
        one?.threshold,
      ]),
    ).toEqual([
      [16, 96, 16, 0.1],
      [32, 128, 32, 1.1],
    ]);
    expect(read.signs.map((signs) => signs?.bytes)).toEqual([768, undefined]);
  });

  it("that is new holds what was given and nothing else", async () => {
    const read = openSidecar(await makeSidecar({}), model);
    expect(read).toEqual({
      path: read.path,
      downRows: [undefined, undefined],
      predictors: [undefined, undefined],
      signs: [undefined, undefined],
      channels: [{}, {}],
    });
  });

  it("of an earlier version of hearth has no input thresholds and stays readable", async () => {
    const path = await damagedSidecar(await makeSidecar(everything), {
      keys: {
        [keys.inputShares]: undefined,
        [keys.inputValues]: undefined,
        [keys.thresholdChosen]: metadataValue.u32(1),
      },
    });
    const { tables, chosen } = openSidecar(path, model).thresholds ?? {};
    expect(tables?.map(({ score }) => score)).toEqual(["gate", "output"]);
    expect(chosen).toBe(1);
  });

  it("loses its copies when told to, and nothing else", async () => {
    const path = await makeSidecar(everything);
    await updateSidecar(path, model, { channels: "none" });
    const { channels, columnNorms, downRows } = openSidecar(path, model);
    expect(channels).toEqual([{}, {}]);
    expect(columnNorms).toEqual(everything.columnNorms);
    expect(downRows.every((rows) => rows !== undefined)).toBe(true);
  });

  it("keeps tables of neurons alone as tables of neurons", async () => {
    const path = await makeSidecar(everything);
    const tables = everything.thresholds?.tables.slice(0, 1) ?? [];
    await updateSidecar(path, model, { thresholds: { tables, chosen: 0 } });
    expect(openSidecar(path, model).thresholds).toEqual({ tables, chosen: 0 });
  });

  it("keeps what a change does not name, to the byte, and what it does not know", async () => {
    const path = await makeSidecar(everything);
    const odd = await damagedSidecar(path, {
      keys: { "somebody.else": metadataValue.string("stays") },
    });
    await updateSidecar(odd, model, { sign: { margins: [1, 2], recall: [1, 1] } });
    const before = openGguf(path);
    const after = openGguf(odd);
    expect(after.metadata.string("somebody.else")).toBe("stays");
    for (const [name, tensor] of before.tensors) {
      const kept = after.tensors.get(name);
      expect(kept && readTensorBytes(kept)).toEqual(readTensorBytes(tensor));
    }
    const { profile, thresholds, recommendation } = everything;
    expect(openSidecar(odd, model)).toMatchObject({
      profile,
      thresholds,
      recommendation,
      sign: { margins: [1, 2] },
    });
  });

  it("changes one layer's predictor and leaves the others alone", async () => {
    const path = await makeSidecar({ predictors: new Map([[1, predictor(1, 32)]]) });
    expect(openSidecar(path, model).predictors[0]).toBeUndefined();
    await updateSidecar(path, model, {
      predictors: new Map([[0, { ...predictor(0, 48), threshold: 9 }]]),
    });
    const { predictors } = openSidecar(path, model);
    expect(predictors.map((one) => [one?.fc1.rows, one?.threshold])).toEqual([
      [48, 9],
      [32, 1.1],
    ]);
  });

  it("of another model is refused, for reading and for writing", async () => {
    const path = await makeSidecar(everything);
    const other = { ...model, fingerprint: "b2".repeat(32) };
    expect(() => openSidecar(path, other)).toThrow(/another model \(a1a1.*name another sidecar/);
    const before = readFileSync(path);
    await expect(updateSidecar(path, other, {})).rejects.toThrow(/another model/);
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it("of another version is refused", async () => {
    const path = await damagedSidecar(await makeSidecar({}), {
      keys: { [keys.version]: metadataValue.u32(2) },
    });
    expect(() => openSidecar(path, model)).toThrow(
      /version 2, expected version 1; make it again with hearth prepare/,
    );
  });

  it("that is a model, or no GGUF at all, is refused and not overwritten", async () => {
    const path = await damagedSidecar(await makeSidecar({}), {
      keys: { "general.architecture": metadataValue.string("llama") },
    });
    expect(() => openSidecar(path, model)).toThrow(/found llama.*no sidecar/);
    await expect(updateSidecar(path, model, {})).rejects.toThrow(/no sidecar/);
    const text = join(folder, "notes.txt");
    writeFileSync(text, "my only copy");
    await expect(updateSidecar(text, model, {})).rejects.toThrow(/notes\.txt/);
    expect(readFileSync(text, "utf8")).toBe("my only copy");
  });

  it("that is missing is undefined when it was looked for, an error when it was named", () => {
    const path = join(folder, "none.gguf");
    expect(findSidecar(path, model)).toBeUndefined();
    expect(() => openSidecar(path, model)).toThrow(/none\.gguf/);
  });

  it.each([
    [
      "a matrix of another shape",
      { shape: tensorName(0, "downRows") },
      /blk\.0\.ffn_down_t.*\[96, 64\].*\[64, 96\]/,
    ],
    [
      "a layer without counts",
      { without: tensorName(1, "counts") },
      /blk\.1\.ffn_active_counts: found nothing/,
    ],
    [
      "counts above the tokens",
      { keys: { [keys.profileTokens]: metadataValue.u32(7) } },
      /counts of layer 0.*0 to 7/,
    ],
    [
      "a margin too few",
      { keys: { [keys.signMargins]: metadataValue.f32s([1]) } },
      /sign\.margins.*1 number,.*2/,
    ],
    [
      "a threshold that is NaN",
      { keys: { [keys.thresholdValues]: metadataValue.f32s([1, 1, 1, Number.NaN]) } },
      /threshold\.values.*NaN/,
    ],
    [
      "a negative threshold",
      { keys: { [keys.thresholdValues]: metadataValue.f32s([1, 1, 1, -1]) } },
      /threshold\.values.*-1/,
    ],
    [
      "a chosen table that is not there",
      { keys: { [keys.thresholdChosen]: metadataValue.u32(3) } },
      /chosen.*3.*below 3/,
    ],
    [
      "a share of inputs above 1",
      { keys: { [keys.inputShares]: metadataValue.f32s([0, 0, 2, 0]) } },
      /input\.shares.*2.*from 0 to 1/,
    ],
    [
      "a place without its share",
      { keys: { [keys.inputShares]: metadataValue.f32s([0, 0, 0]) } },
      /input\.shares.*3 numbers.*4/,
    ],
    [
      "a layer too few of input values",
      { keys: { [keys.inputValues]: metadataValue.f32s([1, 1, 1, 1]) } },
      /input\.values.*4 numbers.*8/,
    ],
    [
      "a negative input value",
      { keys: { [keys.inputValues]: metadataValue.f32s([1, 1, 1, 1, 1, 1, -1, 1]) } },
      /input\.values.*-1/,
    ],
    [
      "an input value that is infinite",
      { keys: { [keys.inputValues]: metadataValue.f32s([1, 1, 1, 1, 1, Infinity, 1, 1]) } },
      /input\.values.*Infinity/,
    ],
    [
      "shares without values",
      { keys: { [keys.inputValues]: undefined } },
      /input\.values.*nothing/,
    ],
    [
      "a copy of another shape",
      { shape: channelsName(1, "gate") },
      /blk\.1\.ffn_gate_t.*\[64, 128\].*\[128, 64\]/,
    ],
    [
      "a copy of attention of another shape",
      { shape: channelsName(0, "attentionOutput") },
      /blk\.0\.attn_output_t.*\[80, 64\].*\[64, 80\]/,
    ],
    [
      "column norms of some layers",
      { without: columnNormsName(1, "ffn") },
      /blk\.1\.ffn_column_norms: found nothing/,
    ],
    [
      "a column norm that is NaN",
      { filledWithOnes: columnNormsName(0, "attention") },
      /blk\.0\.attn_column_norms.*NaN.*at least 0/,
    ],
    [
      "an unknown method",
      { keys: { [keys.recommendedMethod]: metadataValue.string("magic") } },
      /magic.*dense, gate/,
    ],
    [
      "an unknown rule",
      { keys: { [keys.profileRule]: metadataValue.string("often") } },
      /often.*nonzero or top/,
    ],
    [
      "a key of the wrong type",
      { keys: { [keys.corpusNames]: metadataValue.u32(1) } },
      /corpus\.names.*u32 1/,
    ],
    [
      "a key too few",
      { keys: { [keys.predictorRecall]: undefined } },
      /predictor\.recall.*nothing/,
    ],
  ])("with %s is refused by name", async (_, changes, message) => {
    const path = await damagedSidecar(await makeSidecar(everything), changes);
    expect(() => openSidecar(path, model)).toThrow(message);
  });

  it.each<readonly [string, MetadataValue]>([
    [keys.signMargins, metadataValue.f32s([1, Number.NaN])],
    [keys.signMargins, metadataValue.f32s([1, Number.POSITIVE_INFINITY])],
    [keys.signRecall, metadataValue.f32s([1, Number.NEGATIVE_INFINITY])],
    [keys.predictorThresholds, metadataValue.f32s([Number.NaN, 1])],
    [keys.predictorPrecision, metadataValue.f32s([Number.POSITIVE_INFINITY, 1])],
    [keys.corpusTokens, metadataValue.f32s([Number.NaN])],
    [keys.profileTopShare, metadataValue.f32(Number.NaN)],
    [keys.measuredPerplexity, metadataValue.f32s([Number.POSITIVE_INFINITY])],
  ])("with numbers that are none is refused by the key: %s", async (key, value) => {
    const path = await damagedSidecar(await makeSidecar(everything), { keys: { [key]: value } });
    expect(() => openSidecar(path, model)).toThrow(FileFormatError);
    expect(() => openSidecar(path, model)).toThrow(key);
  });

  it.each(["downNorms", "signMargins", "signCentre"] as const)(
    "with a NaN among its %s is refused by the tensor",
    async (name) => {
      const vectors = model.neurons.map((count) => new Float32Array(count).fill(1));
      const centres = model.neurons.map(() => new Float32Array(model.dim));
      const whole = await makeSidecar({
        ...everything,
        downNorms: vectors,
        signMargins: vectors,
        signCentres: centres,
      });
      expect(openSidecar(whole, model).path).toBe(whole);
      const path = await damagedSidecar(whole, { filledWithOnes: tensorName(0, name) });
      expect(() => openSidecar(path, model)).toThrow(`${tensorName(0, name)}: found NaN`);
    },
  );

  it("is whole or not there: a failed write leaves the old file and no other", async () => {
    const path = await makeSidecar({ sign: { margins: [5, 5], recall: [1, 1] } });
    const files = readdirSync(folder);
    const tooShort: MatrixToWrite = { ...halves(96, 64, 1), data: () => [new Uint8Array(3)] };
    await expect(
      updateSidecar(path, model, { downRows: new Map([[0, tooShort]]) }),
    ).rejects.toThrow(/12288 bytes.*3/);
    expect(readdirSync(folder)).toEqual(files);
    expect(openSidecar(path, model).sign?.margins).toEqual([5, 5]);
    expect(existsSync(path)).toBe(true);
  });
});
