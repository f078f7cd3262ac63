/** What other answers change in one answer, on the CPU: next to nothing; and what the number of threads changes: nothing. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  answerBeside,
  expectRule,
  openForSharing,
  type WeightKind,
} from "../../test/fixtures/shared-steps.ts";
import { makeTinyModel, type TinyModel } from "../../test/fixtures/tiny-model.ts";
import { loadAddon } from "../backends/addon.ts";
import { quantizeModel } from "../commands/quantize.ts";
import type { QuantisedType } from "../gguf/quantize-recipe.ts";
import type { EngineOptions } from "./options.ts";

const bundled = fileURLToPath(new URL("../../models/default.gguf", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "hearth-shared-steps-"));
const tiny: TinyModel[] = [];
afterAll(() => {
  for (const model of tiny) model[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

async function tinyModel(changes: readonly string[]): Promise<string> {
  const model = await makeTinyModel(["--dim", "256", "--ffn", "512", ...changes]);
  tiny.push(model);
  return model.path;
}

async function quantised(type: QuantisedType): Promise<string> {
  const output = join(folder, `${type}.gguf`);
  await quantizeModel({ input: bundled, output, type });
  return output;
}

type Case = readonly [string, WeightKind, () => Promise<string>, EngineOptions];

const dense: EngineOptions = { sparsity: "dense" };
const cases: readonly Case[] = [
  ...["f32", "f16", "bf16"].map(
    (type): Case => [`${type} weights`, "float", () => tinyModel(["--type", type]), dense],
  ),
  ...["q4_0", "q8_0", "q4_k", "q6_k"].map(
    (type): Case => [`${type} weights`, "quantised", () => tinyModel(["--type", type]), dense],
  ),
  ["f32 weights and a q8_0 cache", "float", () => tinyModel([]), { ...dense, cacheType: "q8_0" }],
  [
    "q4_k weights and exact inputs",
    "quantised",
    () => tinyModel(["--type", "q4_k"]),
    { exact: true },
  ],
  ["the bundled model", "float", async () => bundled, dense],
  ["the bundled model, gate", "float", async () => bundled, { sparsity: "gate" }],
  ...(["Q8_0", "Q4_0", "Q4_K_M"] as const).map(
    (type): Case => [`the bundled model in ${type}`, "quantised", () => quantised(type), dense],
  ),
];

const addon = loadAddon();
const devices = ["reference", ...(addon.kind === "loaded" ? (["cpu"] as const) : [])] as const;

/** The reference takes seconds for an answer, and tens of them for the bundled model; HEARTH_CONFORMANCE=all takes every other. */
const onReference: readonly string[] = [
  "f32 weights",
  "q4_k weights",
  "f32 weights and a q8_0 cache",
];
const isWhole = process.env["HEARTH_CONFORMANCE"] === "all";

describe.each(devices)("an answer on the %s device", (device) => {
  const wanted = (name: string): boolean =>
    isWhole ? !name.includes("bundled") : onReference.includes(name);
  const some = device === "reference" ? cases.filter(([name]) => wanted(name)) : cases;
  describe.each(some)("with %s", (_, kind, make, options) => {
    let path = "";
    beforeAll(async () => {
      path = await make();
    });

    it("is the same, within the rule, beside 1, 3 and 7 others", async () => {
      using opened = await openForSharing(path, { device, ...options });
      const alone = await answerBeside(0, opened);
      for (const others of [1, 3, 7])
        expectRule(kind, await answerBeside(others, opened, alone.tokens), alone);
    });

    it.skipIf(device === "reference")(
      "is bit for bit the same with 1, 2 and 3 threads",
      async () => {
        const found = await Promise.all(
          [1, 2, 3].map(async (threads) => {
            using opened = await openForSharing(path, { device, threads, ...options });
            const alone = await answerBeside(0, opened);
            return [alone, await answerBeside(7, opened, alone.tokens)];
          }),
        );
        expect(found[1]).toEqual(found[0]);
        expect(found[2]).toEqual(found[0]);
      },
    );
  });
});
