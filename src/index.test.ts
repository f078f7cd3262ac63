/** Every function of the public interface, called as plain JavaScript may call it: what is wrong is refused by its name. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeTinyModel, type TinyModel } from "../test/fixtures/tiny-model.ts";
import * as api from "./index.ts";

let model: TinyModel;
let engine: api.Engine;
let tokenizer: api.Tokenizer;
beforeAll(async () => {
  model = await makeTinyModel();
  engine = await api.Engine.open(model.path, { device: "reference" });
  tokenizer = api.openTokenizer(model.path);
});
afterAll(() => {
  engine.close();
  model[Symbol.dispose]();
});

/** What no argument may be. */
const wrong: readonly unknown[] = [
  null,
  true,
  Number.NaN,
  -1,
  7n,
  Symbol("s"),
  () => 0,
  { noSuchOption: 1 },
  [null],
  [[]],
  new Map([["temperature", 1]]),
];
/** Nor these, where an argument must be given. */
const missing: readonly unknown[] = [undefined, {}, Object.create(null), new Date(0)];

/** The first argument that is tried, and what stands before it. */
interface Place {
  readonly target: () => unknown;
  readonly before?: () => readonly unknown[];
  readonly isOptional?: true;
}

const path = "no-such.gguf";
const afterPath = { before: () => [path], isOptional: true } as const;
const conversation = [{ role: "user", content: "a" }];

const functions: Readonly<Record<string, readonly Place[]>> = {
  bench: [{ target: () => api.bench }],
  benchServer: [{ target: () => api.benchServer }],
  checkGenerateOptions: [{ target: () => api.checkGenerateOptions, isOptional: true }],
  compareWithDense: [
    { target: () => api.compareWithDense },
    { target: () => api.compareWithDense, before: () => [model.path] },
    {
      target: () => api.compareWithDense,
      before: () => [model.path, "too short"],
      isOptional: true,
    },
  ],
  evaluate: [{ target: () => api.evaluate }, { target: () => api.evaluate, before: () => [path] }],
  inspectModel: [{ target: () => api.inspectModel }],
  listRepository: [
    { target: () => api.listRepository },
    { target: () => api.listRepository, before: () => ["o/m"], isOptional: true },
  ],
  namesHubModel: [{ target: () => api.namesHubModel }],
  pullModel: [
    { target: () => api.pullModel },
    { target: () => api.pullModel, before: () => ["o/m"], isOptional: true },
  ],
  removeModel: [
    { target: () => api.removeModel },
    { target: () => api.removeModel, before: () => ["o/m"], isOptional: true },
  ],
  modelAbilities: [{ target: () => api.modelAbilities }],
  listModels: [{ target: () => api.listModels, isOptional: true }],
  measureMachine: [{ target: () => api.measureMachine, isOptional: true }],
  neuronShareFor: [
    { target: () => api.neuronShareFor },
    {
      target: () => api.neuronShareFor,
      before: () => [{ name: "layer 0", shares: new Float64Array(3) }],
    },
  ],
  openTokenizer: [{ target: () => api.openTokenizer }],
  parseByteSize: [
    { target: () => api.parseByteSize, before: () => [] },
    { target: () => api.parseByteSize, before: () => ["1GiB"] },
  ],
  perplexity: [
    { target: () => api.perplexity },
    { target: () => api.perplexity, before: () => [model.path] },
    { target: () => api.perplexity, before: () => [model.path, "too short"], isOptional: true },
  ],
  planBudgets: [{ target: () => api.planBudgets }, { target: () => api.planBudgets, ...afterPath }],
  plannableMachines: [{ target: () => api.plannableMachines, isOptional: true }],
  planPlacement: [
    { target: () => api.planPlacement },
    { target: () => api.planPlacement, ...afterPath },
  ],
  predictMemory: [
    { target: () => api.predictMemory },
    { target: () => api.predictMemory, ...afterPath },
  ],
  predictSpeed: [
    { target: () => api.predictSpeed },
    { target: () => api.predictSpeed, ...afterPath },
  ],
  prepareModel: [
    { target: () => api.prepareModel },
    { target: () => api.prepareModel, ...afterPath },
  ],
  profileExperts: [
    { target: () => api.profileExperts },
    { target: () => api.profileExperts, before: () => [path] },
  ],
  profileImportance: [
    { target: () => api.profileImportance },
    { target: () => api.profileImportance, before: () => [path] },
  ],
  profileModel: [
    { target: () => api.profileModel },
    { target: () => api.profileModel, before: () => [path] },
  ],
  quantizeModel: [{ target: () => api.quantizeModel }],
  replyMessage: [{ target: () => api.replyMessage }],
  resolveModel: [{ target: () => api.resolveModel }],
  trainPredictors: [
    { target: () => api.trainPredictors },
    { target: () => api.trainPredictors, ...afterPath },
  ],
};

const methods: Readonly<Record<string, readonly Place[]>> = {
  "Engine.open": [
    { target: () => api.Engine.open },
    { target: () => api.Engine.open, ...afterPath },
  ],
  "engine.generate": [
    { target: () => engine.generate.bind(engine) },
    { target: () => engine.generate.bind(engine), before: () => ["a"], isOptional: true },
  ],
  "engine.chat": [
    { target: () => engine.chat.bind(engine) },
    { target: () => engine.chat.bind(engine), before: () => [conversation], isOptional: true },
  ],
  "engine.renderChat": [
    { target: () => engine.renderChat.bind(engine) },
    {
      target: () => engine.renderChat.bind(engine),
      before: () => [conversation],
      isOptional: true,
    },
  ],
  "engine.encodeChat": [
    { target: () => engine.encodeChat.bind(engine) },
    {
      target: () => engine.encodeChat.bind(engine),
      before: () => [conversation],
      isOptional: true,
    },
  ],
  "engine.tokenize": [
    { target: () => engine.tokenize.bind(engine) },
    { target: () => engine.tokenize.bind(engine), before: () => ["a"], isOptional: true },
  ],
  "engine.detokenize": [{ target: () => engine.detokenize.bind(engine) }],
  "tokenizer.encode": [{ target: () => tokenizer.encode }],
  "tokenizer.decode": [
    { target: () => tokenizer.decode },
    { target: () => tokenizer.decode, before: () => [[3]], isOptional: true },
  ],
  "tokenizer.createDetokenizer": [{ target: () => tokenizer.createDetokenizer, isOptional: true }],
};

/** They take nothing, or anything that can be shown. */
const others = ["diagnose", "formatBytes"];

describe("the public interface", () => {
  it("has an entry here for each of its functions", () => {
    const exported = Object.entries(api).filter(([, value]) => isPlainFunction(value));
    expect(exported.map(([name]) => name).sort()).toEqual(
      [...Object.keys(functions), ...others].sort(),
    );
  });

  const places = Object.entries({ ...functions, ...methods }).flatMap(([name, list]) =>
    list.map((place, at) => [name, at, place] as const),
  );
  it.each(places)("refuses what is wrong: %s, entry %d", async (_, __, place) => {
    const { target, before, isOptional } = place;
    for (const value of isOptional ? wrong : [...wrong, ...missing]) {
      const failure = await failureOf(target(), [...(before?.() ?? []), value]);
      const said = failure instanceof Error ? `${failure.name}: ${failure.message}` : failure;
      expect(failure, `${describeValue(value)}: ${said}`).toBeInstanceOf(api.OptionError);
    }
  });
});

function isPlainFunction(value: unknown): boolean {
  return typeof value === "function" && !/^class/.test(Function.prototype.toString.call(value));
}

/** What a call throws or rejects with; "nothing" if it did neither. */
async function failureOf(target: unknown, values: readonly unknown[]): Promise<unknown> {
  if (typeof target !== "function") return "no function";
  try {
    await Reflect.apply(target, undefined, [...values]);
    return "nothing";
  } catch (error) {
    return error;
  }
}

function describeValue(value: unknown): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
