/** Embeddings through the engine, of a tiny random model. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { modelFolder } from "../../test/fixtures/changed-model.ts";
import { expectClose } from "../../test/fixtures/close-logits.ts";
import { hot, onCpu, placementOf } from "../../test/fixtures/placements.ts";
import type { Backend } from "../backends/backend.ts";
import { createReferenceBackend } from "../backends/reference/reference-backend.ts";
import { LimitError, OptionError } from "../core/errors.ts";
import { createHybridBackend } from "../devices/hybrid/backend.ts";
import { openGguf } from "../gguf/open.ts";
import { metadataValue } from "../gguf/value.ts";
import { buildProgram } from "../model/build-program.ts";
import { openModel } from "../model/model.ts";
import { Session } from "../runtime/session.ts";
import { Engine } from "./engine.ts";
import type { EngineOptions } from "./options.ts";

const folder = modelFolder();
let model: string;
let lastTokenModel: string;
beforeAll(async () => {
  model = await folder.write("--arch llama --type f32");
  const keys = { "llama.pooling_type": metadataValue.u32(3) };
  lastTokenModel = await folder.write("--arch llama --type f32", { keys });
});
afterAll(() => folder[Symbol.dispose]());

const open = (options: EngineOptions = {}, file = model): Promise<Engine> =>
  Engine.open(file, { device: "reference", ...options });

describe("embed", () => {
  it("gives each text the vector it has alone, with the tokens that were read", async () => {
    using engine = await open({ sequences: 2, batchSize: 8 });
    const texts = ["one", "two or three words here, and then some more", "x", [5, 6, 7]];
    const together = await engine.embed(texts);
    for (const [i, text] of texts.entries()) {
      const [alone] = await engine.embed([text]);
      expect(together[i]!.tokens).toBe(alone!.tokens);
      expectClose([together[i]!.vector], [alone!.vector]);
      const squares = together[i]!.vector.reduce((sum, value) => sum + value * value, 0);
      expect(squares).toBeCloseTo(1, 5);
    }
    expect(together[0]!.tokens).toBe(engine.tokenize("one").length);
    expect(together[3]!.tokens).toBe(3);
    expect(await engine.embed([])).toEqual([]);
  });

  it("pools as it is told, or as the file says", async () => {
    using engine = await open();
    const raw = { normalize: false };
    const ofPrefixes = await engine.embed([[9], [9, 8], [9, 8, 7]], { ...raw, pooling: "last" });
    const [mean] = await engine.embed([[9, 8, 7]], raw);
    const expected = mean!.vector.map(
      (_, i) => ofPrefixes.reduce((sum, { vector }) => sum + vector[i]!, 0) / 3,
    );
    expectClose([mean!.vector], [expected]);
    using lastToken = await open({}, lastTokenModel);
    const [last] = await lastToken.embed([[9, 8, 7]], raw);
    expect(last!.vector).toEqual(ofPrefixes[2]!.vector);
  });

  it("leaves answers beside it as they are", async () => {
    using engine = await open({ sequences: 2 });
    const write = (): Promise<string> =>
      engine.generate("hello", { temperature: 0, maxTokens: 12, ignoreEos: true }).text();
    const alone = await write();
    const [beside] = await Promise.all([write(), engine.embed(["a", "b c", "d e f"])]);
    expect(beside).toBe(alone);
  });

  it("takes one place of the queue after the other", async () => {
    using engine = await open({ maxQueue: 1 });
    expect(await engine.embed(["a", "b", "c", "d"])).toHaveLength(4);
  });

  it("judges all texts before it reads one, and says which is too long, with both numbers", async () => {
    using engine = await open({ contextLength: 16 });
    const long = engine.embed(["a", Array(17).fill(5)]);
    await expect(long).rejects.toThrow(LimitError);
    await expect(long).rejects.toThrow(/^texts\[1\] has 17 tokens, the context 16/);
    await expect(engine.embed(["a", []])).rejects.toThrow(/texts\[1\].*no tokens/);
    await expect(engine.embed([[300]])).rejects.toThrow(OptionError);
    expect((await engine.report()).gpu).toBeUndefined();
  });

  it.each<readonly [string, readonly unknown[]]>([
    ["a text alone", ["text"]],
    ["a text that is none", [[5]]],
    ["a pooling that is not there", [["a"], { pooling: "cls" }]],
    ["an option that is not there", [["a"], { dimensions: 3 }]],
    ["a flag that is none", [["a"], { normalize: 1 }]],
  ])("refuses %s", async (_, args) => {
    using engine = await open();
    const embed: (...args: readonly unknown[]) => Promise<unknown> = (...given) =>
      Reflect.apply(engine.embed, engine, given);
    await expect(embed(...args)).rejects.toThrow(OptionError);
  });

  it("ends by its signal, and with its engine", async () => {
    const engine = await open();
    const aborted = engine.embed(["a", "b"], { signal: AbortSignal.abort(new Error("enough")) });
    await expect(aborted).rejects.toThrow("enough");
    const stop = new AbortController();
    const stopped = engine.embed(["a", "b", "c"], { signal: stop.signal });
    stop.abort(new Error("too slow"));
    await expect(stopped).rejects.toThrow("too slow");
    const closed = engine.embed(["a", "b", "c"]);
    await Promise.resolve();
    engine.close();
    await expect(closed).rejects.toThrow(/closed|aborted/);
    await expect(engine.embed(["a"])).rejects.toThrow(/closed/);
  });
});

describe("rows behind the last norm", () => {
  async function rowsOn(backend: Backend): Promise<Float32Array> {
    const { program, slots } = buildProgram(openModel(openGguf(model)), {
      contextLength: 16,
      sequences: 1,
      maxRows: 8,
      maxOutputs: 1,
      kvType: "f32",
      output: "choice",
      showsRows: true,
    });
    const { logits, rows } = slots;
    if (logits === undefined || rows === undefined) throw new Error("they were asked for");
    using session = await Session.open(backend, program, { logits, rows });
    for (const token of [4, 5, 6]) session.add(0, token);
    await session.run("logits", "read");
    return session.rows(0, 3).slice();
  }

  it("are the same on two devices, wherever the layers and the output are", async () => {
    const expected = await rowsOn(createReferenceBackend());
    for (const layers of [
      [hot(0.5), onCpu],
      [onCpu, hot(0.25)],
    ]) {
      const devices = { gpu: createReferenceBackend(), cpu: createReferenceBackend() };
      for (const output of ["gpu", "cpu"] as const) {
        const placement = placementOf(openModel(openGguf(model)), layers, output);
        expectClose([await rowsOn(createHybridBackend({ ...devices, placement }))], [expected]);
      }
    }
  });
});
