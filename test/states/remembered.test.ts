/**
 * Conversations that left their sequences come back from memory: for each kind of state that a layer declares the tokens
 * that were read are counted, and every answer is that of an empty cache.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadAddon } from "../../src/backends/addon.ts";
import type { Backend } from "../../src/backends/backend.ts";
import { createCpuBackend } from "../../src/backends/cpu/cpu-backend.ts";
import { createReferenceBackend } from "../../src/backends/reference/reference-backend.ts";
import { KiB, MiB } from "../../src/core/units.ts";
import { openGguf } from "../../src/gguf/open.ts";
import { type Model, openModel } from "../../src/model/model.ts";
import { markParts, pageParts } from "../../src/ops/state-parts.ts";
import type { GenerationResult } from "../../src/runtime/generation.ts";
import { openConversation, tokensOf } from "../fixtures/counted-conversation.ts";
import { type LayerKind, layerKinds } from "../fixtures/layer-kinds.ts";
import { makeTinyModel, type TinyModel } from "../fixtures/tiny-model.ts";

const kinds = Object.keys(layerKinds) as LayerKind[];
const files: TinyModel[] = [];
const models = new Map<LayerKind, Model>();
const withAddon = loadAddon().kind === "loaded";
let backend: Backend;

beforeAll(async () => {
  for (const kind of kinds) {
    const args = layerKinds[kind].split(" ");
    const file = await makeTinyModel([...args, "--context", "1024", "--seed", "5"]);
    files.push(file);
    models.set(kind, openModel(openGguf(file.path)));
  }
  backend = withAddon ? createCpuBackend({ threads: 2 }) : createReferenceBackend();
});
afterAll(() => {
  backend[Symbol.dispose]();
  for (const file of files) file[Symbol.dispose]();
});

function modelOf(kind: LayerKind): Model {
  const model = models.get(kind);
  if (model === undefined) throw new RangeError(`no model ${kind}`);
  return model;
}

const limits = { contextLength: 512, remembered: 64 * MiB } as const;

describe.each(kinds)("conversations with layers of kind %s", (kind) => {
  it("take turns in two sequences, and no turn is read twice", async () => {
    using chat = await openConversation(modelOf(kind), backend, limits);
    using fresh = await openConversation(modelOf(kind), createReferenceBackend(), {
      contextLength: 512,
      sequences: 1,
    });
    const talks = Array.from({ length: 8 }, (_, i) => [...tokensOf(100 + 9 * i, 20 + i)]);
    for (let turn = 0; turn < 3; turn++) {
      for (const [i, talk] of talks.entries()) {
        if (turn > 0) talk.push(...tokensOf(30, 50 * turn + i));
        const answer = await chat.answer(talk);
        // The answer's last token was not read.
        const unread = turn === 0 ? talk.length : 1 + 30;
        expect([answer.cachedTokens, chat.takeRead()]).toEqual([talk.length - unread, unread + 11]);
        if (i === 5) {
          fresh.session.cache.truncate(0, 0);
          expect(answer.tokens).toEqual((await fresh.answer(talk)).tokens);
        }
        talk.push(...answer.tokens);
      }
    }
  });

  it("are answered at once, more of them than sequences, as each alone", async () => {
    using chat = await openConversation(modelOf(kind), backend, { ...limits, copySlice: 1 });
    const talks = Array.from({ length: 6 }, (_, i) => [...tokensOf(150 + 20 * i, 70 + i)]);
    for (const turn of [0, 1]) {
      chat.takeRead();
      const answers = await Promise.all(talks.map((talk) => chat.answer(talk)));
      // All of the first turn; of the second what is new.
      const read = answers.map(({ promptTokens, cachedTokens }) => promptTokens - cachedTokens);
      expect(read).toEqual(turn === 0 ? talks.map(({ length }) => length) : talks.map(() => 26));
      for (const [i, { tokens }] of answers.entries()) {
        talks[i]?.push(...tokens, ...tokensOf(25, 80 + i));
      }
    }
    using fresh = await openConversation(modelOf(kind), backend, { contextLength: 512 });
    for (const talk of talks) {
      const expected = (await fresh.answer(talk)).tokens;
      expect((await chat.answer(talk)).tokens).toEqual(expected);
    }
  });

  it("that begin alike are remembered once, and one that begins so too reads only its own", async () => {
    using chat = await openConversation(modelOf(kind), backend, { ...limits, sequences: 1 });
    const shared = tokensOf(256, 4);
    const talk = (seed: number): readonly number[] => [...shared, ...tokensOf(20, seed)];
    await chat.answer(talk(5), { maxTokens: 1 });
    // Where they part is known, and saved, with the second.
    await chat.answer(talk(6), { maxTokens: 1 });
    await chat.answer(tokensOf(40, 7), { maxTokens: 1 });
    chat.takeRead();
    const third = await chat.answer(talk(8), { maxTokens: 1 });
    expect(third.cachedTokens).toBe(256);
    expect(chat.takeRead()).toBe(20);
    const { reads } = chat.copied;
    await chat.answer(tokensOf(40, 7), { maxTokens: 1 });
    // It has a page of its own, and at most the states behind its prompt and its answer.
    const { kv } = chat.session.program;
    const own = [...pageParts(kv, 0, 1)].length + 2 * [...markParts(kv, 276)].length;
    expect(chat.copied.reads - reads).toBeLessThanOrEqual(own);
  });

  it("come back piece by piece beside an answer that is being written", async () => {
    using chat = await openConversation(modelOf(kind), backend, { ...limits, copySlice: 1 });
    const talks = [1, 2, 3].map((seed) => tokensOf(400, seed));
    for (const talk of talks) await chat.answer(talk);
    let back: Promise<GenerationResult> | undefined;
    const long = await chat.answer(tokensOf(20, 9), {
      maxTokens: 60,
      onToken: (written) => {
        if (written !== 10) return;
        chat.copied.mostBetweenSteps = 0;
        back = chat.answer(talks[0] ?? []);
      },
    });
    expect(long.completionTokens).toBe(60);
    expect((await back)?.cachedTokens).toBeGreaterThanOrEqual(396);
    // A page of one of them, or what is behind one position.
    const { kv } = chat.session.program;
    const piece = Math.max([...pageParts(kv, 0, 1)].length, [...markParts(kv, 400)].length);
    expect(chat.copied.mostBetweenSteps).toBe(piece);
  });

  it("are gone back in when they came back, where a ring has room for the whole context", async () => {
    const short = { ...limits, contextLength: 60, sequences: 1 } as const;
    using chat = await openConversation(modelOf(kind), backend, short);
    const begun = tokensOf(45, 1);
    for (const prompt of [begun, tokensOf(40, 2), [...begun, 5]]) {
      await chat.answer(prompt, { maxTokens: 2 });
    }
    const changed = [...begun.slice(0, 20), ...tokensOf(10, 3)];
    const { tokens, cachedTokens } = await chat.answer(changed);
    expect(cachedTokens).toBe(kind === "recurrent" ? 0 : 20);
    using fresh = await openConversation(modelOf(kind), backend, { ...short, remembered: 0 });
    expect(tokens).toEqual((await fresh.answer(changed)).tokens);
  });

  it("are forgotten where memory ends, the oldest first", async () => {
    const remembered = { full: 200, window: 200, recurrent: 400 }[kind] * KiB;
    using chat = await openConversation(modelOf(kind), backend, { ...limits, remembered });
    const talks = Array.from({ length: 24 }, (_, i) => tokensOf(200, 30 + i));
    for (const talk of talks) {
      await chat.answer(talk, { maxTokens: 1 });
      expect(chat.prefixes?.bytes).toBeLessThanOrEqual(remembered);
    }
    expect((await chat.answer(talks[0] ?? [], { maxTokens: 1 })).cachedTokens).toBe(0);
    const newest = await chat.answer(talks[21] ?? [], { maxTokens: 1 });
    expect(newest.cachedTokens).toBeGreaterThan(190);
  });
});
