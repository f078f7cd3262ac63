import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { createReferenceBackend } from "../backends/reference/reference-backend.ts";
import { openGguf } from "../gguf/open.ts";
import { openModel } from "../model/model.ts";
import { createTokenizer } from "../text/tokenizer.ts";
import { openCorpus } from "./corpus.ts";
import { type GatheredBatch, Gatherer, type GatherRequest } from "./gather.ts";

const folder = mkdtempSync(join(tmpdir(), "hearth-gather-"));
afterAll(() => rmSync(folder, { recursive: true }));
const textPath = join(folder, "text.txt");
writeFileSync(
  textPath,
  "It was a dark and stormy night; the rain fell in torrents, except at intervals.\n".repeat(40),
);
const recordsPath = join(folder, "records.jsonl");
writeFileSync(recordsPath, '{"text":"The old man went home."}\n{"text":"And then he slept."}\n');

const modelPath = fileURLToPath(new URL("../../models/default.gguf", import.meta.url));
const gguf = openGguf(modelPath);

function openGatherer(options: { layers?: readonly number[]; window?: number } = {}) {
  const tokenizer = createTokenizer(gguf.metadata);
  return Gatherer.open(openModel(gguf), tokenizer, createReferenceBackend(), options);
}

interface Seen {
  readonly part: GatheredBatch["part"];
  readonly rows: number;
  readonly position: number;
  /** h of the first layer shown. */
  readonly h: Float32Array;
}

async function gather(gatherer: Gatherer, request: Omit<GatherRequest, "corpus">, path = textPath) {
  const seen: Seen[] = [];
  const corpus = await openCorpus(path);
  for await (const { part, rows, position, layers } of gatherer.batches({ corpus, ...request })) {
    seen.push({ part, rows, position, h: layers[0]?.h.slice() ?? new Float32Array(0) });
  }
  return seen;
}

const rowsOf = (seen: readonly Seen[]): number => seen.reduce((sum, { rows }) => sum + rows, 0);

describe("a gatherer", () => {
  it("shows exactly the tokens that were asked for, in the shapes it promises", async () => {
    using gatherer = await openGatherer({ layers: [1, 3], window: 32 });
    const corpus = await openCorpus(textPath);
    let rows = 0;
    for await (const batch of gatherer.batches({ corpus, tokens: 100 })) {
      rows += batch.rows;
      expect(batch.position).toBe(rows);
      expect(batch.layers.map(({ layer }) => layer)).toEqual([1, 3]);
      for (const { input, normed, gate, h } of batch.layers) {
        expect(input).toHaveLength(batch.rows * gatherer.shape.dim);
        expect(normed).toHaveLength(batch.rows * gatherer.shape.dim);
        expect(gate).toBeUndefined();
        expect(h).toHaveLength(batch.rows * 1536);
      }
    }
    expect(rows).toBe(100);
  });

  it("goes on where an earlier run stopped and sees the same tokens", async () => {
    using gatherer = await openGatherer({ layers: [0], window: 21 });
    const whole = await gather(gatherer, { tokens: 80 });
    const first = await gather(gatherer, { tokens: 40 });
    const second = await gather(gatherer, { tokens: 80, from: 40 });
    const h = (seen: readonly Seen[]) => seen.flatMap((batch) => [...batch.h]);
    expect([...h(first), ...h(second)]).toEqual(h(whole));
  });

  it("splits train and held-out by window: together all, never both, the same again", async () => {
    using gatherer = await openGatherer({ layers: [0], window: 5 });
    const request = { tokens: 160, heldOut: 0.3, seed: 7 };
    const all = await gather(gatherer, request);
    const train = await gather(gatherer, { ...request, part: "train" });
    const heldOut = await gather(gatherer, { ...request, part: "held-out" });
    const positions = (seen: readonly Seen[]) => seen.map(({ position }) => position);
    expect(rowsOf(train) + rowsOf(heldOut)).toBe(rowsOf(all));
    expect([...positions(train), ...positions(heldOut)].sort((a, b) => a - b)).toEqual(
      positions(all),
    );
    expect(heldOut.length).toBeGreaterThan(0.15 * all.length);
    expect(heldOut.length).toBeLessThan(0.45 * all.length);
    expect(positions(await gather(gatherer, { ...request, part: "held-out" }))).toEqual(
      positions(heldOut),
    );
    const other = await gather(gatherer, { ...request, part: "held-out", seed: 8 });
    expect(positions(other)).not.toEqual(positions(heldOut));
  });

  it("begins a window with each document", async () => {
    using gatherer = await openGatherer({ layers: [0], window: 64 });
    const seen = await gather(gatherer, { tokens: 1000 }, recordsPath);
    expect(seen).toHaveLength(2);
    // The first token of a document stands behind BOS alone: the same token at the same place is the same.
    using alone = await openGatherer({ layers: [0], window: 2 });
    const single = await gather(alone, { tokens: 1 }, recordsPath);
    expect(seen[0]?.h.slice(0, 1536)).toEqual(single[0]?.h);
  });

  it("refuses windows and layers that the model does not have", async () => {
    await expect(openGatherer({ window: 257 })).rejects.toThrow(/window: 257.*256/);
    await expect(openGatherer({ layers: [4] })).rejects.toThrow(/layers: 4.*0 to 3/);
  });
});
