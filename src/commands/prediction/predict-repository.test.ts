/** Each quantisation of a repository, predicted from headers that a stand-in of the hub serves by parts. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { modelFolder } from "../../../test/fixtures/changed-model.ts";
import { type StandInHub, startHub } from "../../../test/hub/stand-in-hub.ts";
import { HubConnection } from "../../hub/connection.ts";
import { readRepository } from "../../hub/repository.ts";
import { createPredictor, type PredictedModel } from "./predict-repository.ts";

const models = modelFolder();
let hub: StandInHub;
const sizes: Record<string, number> = {};
beforeAll(async () => {
  const files: Record<string, Uint8Array> = {};
  for (const [quant, type] of [
    ["Q4_0", "q4_0"],
    ["Q8_0", "q8_0"],
    ["F16", "f16"],
  ] as const) {
    const shape = "--arch llama --dim 256 --ffn 1024 --layers 4 --vocab 8000";
    files[`Made-${quant}.gguf`] = readFileSync(await models.write(`${shape} --type ${type}`));
    sizes[quant] = files[`Made-${quant}.gguf`]?.length ?? 0;
  }
  files["Made-Q2_K.gguf"] = new Uint8Array(1000).fill(60);
  hub = await startHub({ "owner/made-GGUF": { files } });
});
afterAll(async () => {
  models[Symbol.dispose]();
  await hub[Symbol.asyncDispose]();
});

describe("a repository's quantisations", () => {
  it("are predicted from a part of each file, and one that is no model says why", async () => {
    const settings = { endpoint: hub.endpoint, cacheFolder: "/nowhere", token: undefined };
    using connection = new HubConnection({ ...settings, isOffline: false }, { firstPause: 1 });
    const repository = await readRepository(connection, { repository: "owner/made-GGUF" });
    const quants = repository.models.map(({ quant }) => quant);
    expect(quants).toEqual(["Q2_K", "Q4_0", "Q8_0", "F16"]);
    const predict = createPredictor(connection, { hardware: "rtx-4090" });
    const predicted: PredictedModel[] = [];
    for (const model of repository.models) predicted.push(await predict(model));
    const asked = hub.requests.length;
    expect(await Promise.all(repository.models.map(predict))).toEqual(predicted);
    expect(hub.requests.length).toBe(asked);
    const [none, ...others] = predicted;
    expect(none?.reason).toMatch(/Made-Q2_K\.gguf: magic/);
    const rates = others.map(({ prediction }) => {
      const onCpu = prediction?.ways.find(({ device }) => device === "cpu");
      return onCpu?.decodeTokensPerSecond ?? 0;
    });
    expect(rates).toEqual([...rates].sort((a, b) => b - a));
    expect(rates.at(-1)).toBeGreaterThan(0);
    const read = predicted.map(({ bytesRead }) => bytesRead);
    // A header with its vocabulary of 8000, and no weights: those of F16 have three times its size.
    expect(read.at(-1)).toBeLessThan((sizes["F16"] ?? 0) / 2);
    // Once its length is known, a header is read at once.
    const ranges = hub.requests.filter(
      ({ server, path }) => server === "store" && path.includes("F16"),
    );
    expect(ranges.length).toBeLessThanOrEqual(1);
  });
});
