/** Programs of all architectures: their shapes, their parts, and that taking an FFN apart changes nothing. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { lastLogits } from "../../test/fixtures/last-logits.ts";
import { makeModel } from "../../tools/make-model/make-model.ts";
import { parseOptions } from "../../tools/make-model/options.ts";
import { openGguf } from "../gguf/open.ts";
import type { FfnBlock, Op, Slot, SparsityMethod, Weight } from "../ops/op.ts";
import { channelsOfOp } from "../ops/program-ops.ts";
import { buildParts, buildProgram, layerOps, type ProgramOptions } from "./build-program.ts";
import type { LayerMasks } from "./layer-masks.ts";
import { type Model, openModel } from "./model.ts";
import { architectureNames, architectureOf } from "./registry.ts";
import { requireBlock } from "./weights.ts";

const folder = mkdtempSync(join(tmpdir(), "build-program-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const shape = "--dim 128 --layers 2 --ffn 256 --heads 4 --kv-heads 2 --vocab 300 --context 64";
const options: ProgramOptions = {
  contextLength: 64,
  sequences: 2,
  maxRows: 8,
  maxOutputs: 2,
  kvType: "f32",
  output: "logits",
};

/** Two layers that show all that the architecture has. */
const changes: Readonly<Record<string, readonly string[]>> = {
  qwen35: ["--full-attention-interval", "2"],
  qwen35moe: ["--full-attention-interval", "2"],
  // What it has besides is tested in gemma4.test.ts and windows.test.ts.
  gemma4: ["--head-dim-swa", "32", "--shared-kv-layers", "off"],
};

async function make(arch: string, args: readonly string[] = changes[arch] ?? []): Promise<Model> {
  const path = join(folder, [arch, ...args].join("").concat(".gguf"));
  await makeModel(parseOptions([path, ...shape.split(" "), "--arch", arch, ...args]));
  return openModel(openGguf(path));
}

function thresholdMethod(_layer: number, block: FfnBlock): SparsityMethod {
  const downNorms = new Float32Array(block.neurons).fill(1);
  return { kind: "threshold-output", value: 0, downNorms };
}

/** Masks of every place, with copies that only have the right shape: the reference backend reads none. */
function masksOf(model: Model, layer: number, value: number): LayerMasks {
  const weights = model.layers[layer];
  if (weights === undefined) throw new Error(`no layer ${layer}`);
  const { attention } = weights;
  const ffn = requireBlock(weights);
  const copyOf = (weight: Weight): Weight => {
    const [rows, columns] = [weight.columns, weight.rows];
    return { ...weight, rows, columns, bytes: { kind: "memory", data: new Uint8Array(0) } };
  };
  const masked = (reader: Weight) => ({ value, norms: new Float32Array(reader.columns).fill(1) });
  const copies =
    attention.kind === "attention"
      ? { q: attention.q, k: attention.k, v: attention.v }
      : { qkv: attention.qkv, outputGate: attention.gate };
  const channels = Object.entries(copies).flatMap(([name, linear]) =>
    linear === undefined ? [] : [[name, copyOf(linear.weight)]],
  );
  const output = attention.output.weight;
  return {
    attention: { ...masked(ffn.up.weight), channels: Object.fromEntries(channels) },
    attentionOutput: { ...masked(output), channels: { output: copyOf(output) } },
    ffn: {
      ...masked(ffn.up.weight),
      channels: {
        gate: ffn.gate && copyOf(ffn.gate),
        up: value > 0 ? copyOf(ffn.up.weight) : undefined,
      },
    },
  };
}

/** Experts have no neurons that are looked at one by one: mixture.test.ts has those. */
const blockArchitectures = architectureNames.filter((name) => {
  const { mixture } = architectureOf(name);
  return mixture === undefined || mixture.isOptional === true;
});

function opsOf(model: Model): readonly Op[] {
  return buildProgram(model, options).program.segments.flatMap((segment) => segment.ops);
}

describe("a program", () => {
  it.each(blockArchitectures)(
    "of %s has unique slots, one FFN a layer, and attention or a delta rule",
    async (arch) => {
      const model = await make(arch);
      const { program, slots } = buildProgram(model, options);
      expect(program.slots.map((slot) => slot.id)).toEqual(program.slots.map((_, index) => index));
      expect(new Set(program.slots.map((slot) => slot.name)).size).toBe(program.slots.length);
      const heads = { kvHeads: 2, keyWidth: 32, valueWidth: 32 };
      const isAttention = model.layers.map(({ attention: { kind } }) => kind === "attention");
      const kept = model.hyperparameters.attention.map(({ window }) =>
        window === undefined ? { kind: "full", ...heads } : { kind: "window", window, ...heads },
      );
      const layers = kept.map((own, layer) => (isAttention[layer] ? own : { kind: "recurrent" }));
      expect(program.kv).toMatchObject({ layers, sequences: 2 });
      expect(slots.logits).toMatchObject({ width: 300, rows: "outputs" });
      const count = (kind: Op["kind"]): number =>
        opsOf(model).filter((op) => op.kind === kind).length;
      const attending = isAttention.filter(Boolean).length;
      expect(count("ffn")).toBe(2);
      expect([count("store-kv"), count("attention")]).toEqual([attending, attending]);
      expect([count("convolve"), count("delta-rule")]).toEqual([2 - attending, 2 - attending]);
    },
  );

  it("rotates q and k once a layer, adjacent pairs in llama, halves elsewhere, none in opt", async () => {
    const pairings = async (arch: string): Promise<string[]> =>
      opsOf(await make(arch)).flatMap((op) => (op.kind === "rope" ? [op.pairing] : []));
    expect(await pairings("llama")).toEqual(new Array(4).fill("adjacent"));
    expect(await pairings("nemotron")).toEqual(new Array(4).fill("halves"));
    expect(await pairings("opt")).toEqual([]);
  });

  it("keeps the FFN and its norm apart from attention", async () => {
    const sequential = buildParts(await make("llama"), options).layers[0];
    expect(sequential?.before.at(-1)).toMatchObject({ kind: "norm", out: sequential?.ffn?.x });
    expect(sequential?.after).toEqual([]);
    const parallel = buildParts(await make("falcon"), options).layers[0];
    expect(parallel?.after.map((op) => op.kind)).toContain("attention");
    if (parallel === undefined) throw new Error("no layer");
    expect(layerOps(parallel)).toContain(parallel.ffn);
  });

  it("gives predictors the residual, unless another method is chosen", async () => {
    const model = await make("llama", ["--powerinfer", "--predictor-rank", "64"]);
    const parts = buildParts(model, options);
    const method = parts.layers[1]?.ffn?.block.method;
    expect(method).toMatchObject({ kind: "mlp", input: parts.residual, threshold: 0 });
    const dense = buildParts(model, { ...options, methodFor: () => ({ kind: "dense" }) });
    expect(dense.layers[1]?.ffn?.block.method).toEqual({ kind: "dense" });
  });

  it.each([...blockArchitectures, "powerinfer"])(
    "of %s gives the same logits with its FFNs taken apart",
    async (arch) => {
      const args = arch === "powerinfer" ? ["--powerinfer", "--predictor-rank", "64"] : [];
      const model = await make(arch === "powerinfer" ? "llama" : arch, args);
      const methodFor = () => ({ kind: "dense" }) as const;
      const whole = await lastLogits(model, { ...options, methodFor });
      const apart = await lastLogits(model, { ...options, methodFor, exposed: [0, 1] });
      // h is rounded to f32 between the ops: one rounding of 2^-24 in each of 256 summands and two layers.
      const size = Math.max(...whole.map(Math.abs));
      for (const [id, logit] of whole.entries()) {
        expect(Math.abs(logit - (apart[id] ?? Number.NaN))).toBeLessThan(size * 512 * 2 ** -24);
      }
    },
  );

  it.each(architectureNames)(
    "of %s gives the same logits when its last layer has output rows only",
    async (arch) => {
      const model = await make(arch);
      const few = await lastLogits(model, { ...options, lastLayer: "output rows" });
      // The same sums in the same order.
      expect(few).toEqual(await lastLogits(model, options));
    },
  );

  it.each(blockArchitectures)(
    "of %s masks what its matrices multiply, and nothing else reads the masked rows",
    async (arch) => {
      const model = await make(arch);
      const dense = await lastLogits(model, options);
      const methodFor = thresholdMethod;
      const masked = await lastLogits(model, {
        ...options,
        methodFor,
        masksFor: (layer) => masksOf(model, layer, 0.1),
      });
      expect(masked.every(Number.isFinite)).toBe(true);
      expect(masked).not.toEqual(dense);
      // A mask that keeps everything changes nothing.
      expect(
        await lastLogits(model, { ...options, masksFor: (layer) => masksOf(model, layer, 0) }),
      ).toEqual(dense);
      const all = { methodFor, masksFor: (layer: number) => masksOf(model, layer, 0.1) };
      expect(await lastLogits(model, { ...options, ...all, lastLayer: "output rows" })).toEqual(
        masked,
      );
      const { program } = buildProgram(model, { ...options, ...all });
      const ops = program.segments.flatMap((segment) => segment.ops);
      const masks = ops.filter((op) => op.kind === "mask");
      expect(masks).toHaveLength(3 * 2);
      for (const { x, out } of masks) {
        const readers = ops.filter((op) => "x" in op && op.x === out);
        expect(x).not.toBe(out);
        expect(readers.every((op) => op.kind === "matmul" || op.kind === "ffn")).toBe(true);
        // A matrix with a row for each head of a delta net has no copy.
        const withCopies = readers.filter(
          (op) => !("out" in op && ["decay", "strength"].includes(op.out.name)),
        );
        expect(withCopies.length).toBeGreaterThan(0);
        expect(withCopies.every((op) => "channels" in (op.kind === "ffn" ? op.block : op))).toBe(
          true,
        );
      }
      // q, k and v, or q with k and v and the gate; output, and the block of gate and up.
      const mixing = model.layers.map(({ attention }): number =>
        attention.kind === "attention" ? 3 : 2,
      );
      const others = 2 * (model.architecture.gating === "ungated" ? 2 : 3);
      expect(ops.flatMap(channelsOfOp)).toHaveLength(others + mixing.reduce((a, b) => a + b));
    },
  );

  it("shows what attention's matrices multiply, wherever attention stands in the layer", async () => {
    for (const arch of ["llama", "falcon"]) {
      const model = await make(arch);
      const { program, slots } = buildProgram(model, { ...options, exposed: [0, 1] });
      const ops = program.segments.flatMap((segment) => segment.ops);
      const projections = ops.filter((op) => op.kind === "matmul" && op.into === "add");
      for (const { attentionInput, attentionOutput } of slots.exposed) {
        const source = (slot: Slot) =>
          ops.find((op) => op.kind === "copy" && op.out === slot && op.x.width === slot.width);
        const input = source(attentionInput);
        const output = source(attentionOutput);
        if (input?.kind !== "copy" || output?.kind !== "copy") throw new Error("no copy");
        expect(input.x.name).toBe("normed");
        expect(projections.some((op) => op.kind === "matmul" && op.x === output.x)).toBe(true);
      }
    }
  });

  it("names the best token when only that is asked for", async () => {
    const model = await make("arcee");
    const all = await lastLogits(model, options);
    const [token] = await lastLogits(model, { ...options, output: "argmax" });
    expect(token).toBe(all.indexOf(Math.max(...all)));
  });

  it("refuses limits that make no sense", async () => {
    const model = await make("opt");
    const build = (changes: Partial<ProgramOptions>) => () =>
      buildProgram(model, { ...options, ...changes });
    expect(build({ maxRows: 0 })).toThrow(/maxRows: 0/);
    expect(build({ contextLength: 65 })).toThrow(/contextLength: 65.*at most 64/);
    expect(build({ exposed: [2] })).toThrow(/exposed: 2.*0 to 1/);
    expect(build({ exposed: [1], lastLayer: "output rows" })).toThrow(/lastLayer: output rows/);
  });
});
