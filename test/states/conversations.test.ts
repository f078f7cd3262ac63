/**
 * Chats, forks and full contexts for each kind of state that a layer declares, on each device: every answer is that of an
 * empty cache, and the tokens that were read are counted.
 */
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { loadAddon } from "../../src/backends/addon.ts";
import type { Backend } from "../../src/backends/backend.ts";
import { createCpuBackend } from "../../src/backends/cpu/cpu-backend.ts";
import { createReferenceBackend } from "../../src/backends/reference/reference-backend.ts";
import { listAdapters } from "../../src/backends/webgpu/adapter.ts";
import { createWebGpuBackend } from "../../src/backends/webgpu/webgpu-backend.ts";
import { createHybridBackend } from "../../src/devices/hybrid/backend.ts";
import { openGguf } from "../../src/gguf/open.ts";
import { type Model, openModel } from "../../src/model/model.ts";
import { kvBytes } from "../../src/ops/kv-shape.ts";
import { placedParts } from "../../src/ops/state-parts.ts";
import {
  type CountedConversation,
  openConversation,
  tokensOf,
} from "../fixtures/counted-conversation.ts";
import { type LayerKind, layerKinds } from "../fixtures/layer-kinds.ts";
import { hot, onCpu, placementOf } from "../fixtures/placements.ts";
import { makeTinyModel, type TinyModel } from "../fixtures/tiny-model.ts";

/** A software adapter's compiler may take minutes for one kernel. */
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const files: TinyModel[] = [];
const models = new Map<LayerKind, Model>();

beforeAll(async () => {
  for (const [kind, args] of Object.entries(layerKinds)) {
    const file = await makeTinyModel([...args.split(" "), "--context", "512", "--seed", "5"]);
    files.push(file);
    models.set(kind as LayerKind, openModel(openGguf(file.path)));
  }
});
afterAll(() => {
  for (const file of files) file[Symbol.dispose]();
});

const withAddon = loadAddon().kind === "loaded";
const withGpu = (await listAdapters()).length > 0;

function modelOf(kind: LayerKind): Model {
  const model = models.get(kind);
  if (model === undefined) throw new RangeError(`no model ${kind}`);
  return model;
}

const devices: readonly (readonly [
  string,
  boolean,
  (model: Model) => Backend | Promise<Backend>,
])[] = [
  ["the CPU", withAddon, () => createCpuBackend({ threads: 2 })],
  [
    // The windows' layers, or the states', on the one, the others on the other.
    "two devices",
    withAddon,
    (model) =>
      createHybridBackend({
        gpu: createReferenceBackend(),
        cpu: createCpuBackend({ threads: 1 }),
        placement: placementOf(model, [hot(0.5), onCpu]),
      }),
  ],
  ["the GPU", withGpu, () => createWebGpuBackend({ adapter: 0 })],
];

const cases = devices.flatMap(([device, isThere, open]) =>
  (Object.keys(layerKinds) as LayerKind[])
    // A software driver compiles for ten seconds. The conformance suite goes back to checkpoints of rings on it.
    .filter((kind) => device !== "the GPU" || kind === "recurrent")
    .map((kind) => ({ kind, device, isThere, open })),
);

describe.each(cases)("layers of kind $kind on $device", ({ kind, isThere, open }) => {
  let backend: Backend;
  // One for all: a software driver compiles each kernel once.
  beforeAll(async () => {
    if (isThere) backend = await open(modelOf(kind));
  });
  afterAll(() => backend?.[Symbol.dispose]());

  it.skipIf(!isThere)("are read once, whatever a chat comes back to", async () => {
    using chat = await openConversation(modelOf(kind), backend);
    // What memory was said to suffice.
    const { executable, program } = chat.session;
    expect(Math.abs(executable.memory.kvCache - kvBytes(program.kv))).toBeLessThan(4096);
    using fresh = await openConversation(modelOf(kind), createReferenceBackend(), { sequences: 1 });
    const expectFresh = async (prompt: readonly number[], tokens: readonly number[]) => {
      fresh.session.cache.truncate(0, 0);
      expect(tokens).toEqual((await fresh.answer(prompt)).tokens);
    };
    const first = tokensOf(110, 1);
    const begun = await chat.answer(first, { maxTokens: 24 });
    expect(chat.takeRead()).toBe(110 + 23);

    // The next turn: the answer's last token was not read.
    const turn = [...first, ...begun.tokens, ...tokensOf(30, 2)];
    const next = await chat.answer(turn);
    expect(next.cachedTokens).toBe(110 + 23);
    expect(chat.takeRead()).toBe(1 + 30 + 11);
    await expectFresh(turn, next.tokens);

    // Asked again in other words: the turn alone is read. A state was saved where the turn before had ended.
    const edited = [...first, ...begun.tokens, ...tokensOf(40, 3)];
    const changed = await chat.answer(edited);
    expect(chat.takeRead()).toBe((kind === "recurrent" ? 1 : 0) + 40 + 11);
    await expectFresh(edited, changed.tokens);

    // Answered once more: what a template may have put at the prompt's end is read.
    const again = await chat.answer(edited);
    expect(chat.takeRead()).toBeLessThanOrEqual(5 + 11);
    expect(again.tokens).toEqual(changed.tokens);

    // Back to the first turn, when rings have turned and states have gone on.
    const back = await chat.answer(first);
    expect(chat.takeRead()).toBeLessThanOrEqual(5 + 11);
    expect(back.tokens).toEqual(begun.tokens.slice(0, 12));
  });

  it.skipIf(!isThere)("go on elsewhere, and what went on elsewhere goes on here", async () => {
    using here = await openConversation(modelOf(kind), backend);
    using there = await openConversation(modelOf(kind), createReferenceBackend());
    const move = async (from: CountedConversation, to: CountedConversation): Promise<void> => {
      const held = from.session.heldState(0, 2);
      const parts: Uint8Array[] = [];
      for (const placed of placedParts(from.session.program.kv, held)) {
        parts.push(await from.session.readState(0, placed));
        expect(parts.at(-1)).toHaveLength(placed.part.bytes);
      }
      const bytes = parts.values();
      await to.session.writeState(0, held, () => bytes.next().value ?? new Uint8Array());
    };
    let prompt = tokensOf(100, 9);
    for (const [from, to] of [
      [here, there],
      [there, here],
    ] as const) {
      const { tokens } = await from.answer(prompt, { maxTokens: 24 });
      await move(from, to);
      prompt = [...prompt, ...tokens, ...tokensOf(20, 10)];
      to.takeRead();
      const next = await to.answer(prompt);
      expect(to.takeRead()).toBe(1 + 20 + 11);
      expect(next.tokens).toEqual((await from.answer(prompt)).tokens);
      // Its checkpoints came with it: the turn is asked in other words.
      await to.answer([...prompt.slice(0, -10), 5, 6, 7]);
      expect(to.takeRead()).toBeLessThanOrEqual(20 + 3 + 11);
    }
  });

  it.skipIf(!isThere)("are forked without reading a token twice", async () => {
    using chat = await openConversation(modelOf(kind), backend);
    const shared = tokensOf(100, 4);
    const [one, two] = [tokensOf(30, 5), tokensOf(25, 6)].map((tail) => [...shared, ...tail]);
    if (one === undefined || two === undefined) throw new RangeError("two prompts");
    // Where two prompts part is not known before the second comes: it is saved then.
    await chat.answer(one, { maxTokens: 1 });
    await chat.answer([...shared, ...tokensOf(20, 8)], { maxTokens: 1 });
    chat.takeRead();
    let beside: Promise<unknown> | undefined;
    const long = await chat.answer(one, {
      maxTokens: 40,
      onToken: (written) => {
        // In the middle of the other's answer: its sequence is busy.
        if (written === 20) beside = chat.answer(two);
      },
    });
    const other = await beside;
    expect(long.cachedTokens).toBeGreaterThanOrEqual(126);
    expect(other).toMatchObject({ cachedTokens: 100 });
    expect(chat.takeRead()).toBe(130 - long.cachedTokens + 39 + 25 + 11);
    using fresh = await openConversation(modelOf(kind), createReferenceBackend(), { sequences: 1 });
    expect(other).toMatchObject({ tokens: (await fresh.answer(two)).tokens });
    fresh.session.cache.truncate(0, 0);
    expect(long.tokens).toEqual((await fresh.answer(one, { maxTokens: 40 })).tokens);
  });
});

describe.each(Object.keys(layerKinds) as LayerKind[])(
  "a full context with layers of kind %s",
  (kind) => {
    async function shift(chat: CountedConversation): Promise<void> {
      const prompt = tokensOf(60, 7);
      const { tokens } = await chat.answer(prompt, { maxTokens: 12, whenFull: "shift" });
      // 64 tokens are full when the fifth of the answer is to be read: the first and the 32 newest are kept.
      const kept = [...prompt, ...tokens.slice(0, 4)];
      const again = [kept[0] ?? 0, ...kept.slice(-32), ...tokens.slice(4, 5)];
      // Of the first token all layers but the recurrent ones have kept what they know.
      const first = kind === "recurrent" ? 1 : 0;
      expect(chat.takeRead()).toBe(60 + 4 + first + 32 + 1 + 6);
      using fresh = await openConversation(modelOf(kind), createReferenceBackend(), {
        contextLength: 64,
      });
      expect(tokens.slice(5)).toEqual((await fresh.answer(again, { maxTokens: 7 })).tokens);
    }

    it("goes on as if it had only ever read what is kept: that alone is read again", async () => {
      using backend = createReferenceBackend();
      using chat = await openConversation(modelOf(kind), backend, { contextLength: 64 });
      await shift(chat);
    });
  },
);
