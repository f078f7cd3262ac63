/** What the server writes of an answer's neurons, the page reads: in whatever pieces it comes. */
import { describe, expect, it } from "vitest";
import { type Frame, FrameReader } from "../../page/src/map/frames.ts";
import type { NeuronFacts, ShownToken } from "../../src/index.ts";
import {
  endFrame,
  factsFrame,
  maxTokenFrame,
  tokenFrame,
} from "../../src/server/neurons/frames.ts";

const facts: NeuronFacts = {
  method: "gate",
  activation: "relu2",
  bytesDensePerToken: 4096,
  bytesOfBlocks: 32768,
  profileTokens: 100,
  expectedHotShare: 0.75,
  layers: [
    {
      neurons: 20,
      hot: Uint32Array.of(0, 9, 19),
      profile: Float64Array.from({ length: 20 }, (_, i) => i),
    },
    { neurons: 300 },
    { neurons: 4096, experts: { count: 64, used: 8 } },
  ],
};

const layer = { bytesTouched: 10, activeCount: 3, ofExperts: false };

const token: ShownToken = {
  token: 7,
  index: 3,
  skipped: [5],
  rows: 1,
  stepTime: 1.5,
  showingTime: 0.25,
  timeline: [{ track: "gpu", name: "layer 0", step: 4, start: 0.5, end: 1 }],
  layers: [
    { ...layer, layer: 0, active: Uint32Array.of(0, 1, 19), time: 0.1, predictorTime: 0 },
    { ...layer, layer: 1, active: Uint32Array.of(2, 299) },
    { ...layer, layer: 2, ofExperts: true, active: Uint32Array.of(0, 63) },
  ],
};
const widths = [20, 300, 64];
const counts = { dropped: 2, bytes: 999 };

function readIn(bytes: Buffer, size: number): readonly Frame[] {
  const reader = new FrameReader();
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length; at += size)
    frames.push(...reader.push(bytes.subarray(at, at + size)));
  return frames;
}

const all = Buffer.concat([
  factsFrame("model", facts),
  tokenFrame(token, { before: [" a"], text: " b" }, counts, widths),
  endFrame([" c"], counts),
]);

describe("frames of neurons", () => {
  it.each([1, 7, 100, 100_000])("are read as they were written, in pieces of %d bytes", (size) => {
    const [first, second, third, ...others] = readIn(all, size);
    expect(others).toEqual([]);
    if (first?.kind !== "facts" || second?.kind !== "token") throw new Error("other frames");
    const read = first.facts;
    expect(read).toMatchObject({
      model: "model",
      method: "gate",
      bytesDense: 32768,
      unit: "expert",
      profileTokens: 100,
    });
    expect(read.layers.map(({ neurons }) => neurons)).toEqual([20, 300, 4096]);
    expect(
      [...(read.layers[0]?.hot ?? [])].flatMap((flag, id) => (flag === 1 ? [id] : [])),
    ).toEqual([0, 9, 19]);
    expect(read.layers[0]?.profile?.[10]).toBeCloseTo(0.1, 4);
    expect(read.layers[1]?.profile).toBeUndefined();
    expect(read.layers[2]?.experts).toEqual({ count: 64, used: 8 });
    expect(second.token).toMatchObject({ id: 7, index: 3, before: [" a"], text: " b", dropped: 2 });
    expect(second.token.layers.map(({ ids }) => [...(ids ?? [])])).toEqual([
      [0, 1, 19],
      [2, 299],
      [0, 63],
    ]);
    expect(second.token.timeline).toEqual([{ track: "gpu", name: "layer 0", start: 0.5, end: 1 }]);
    expect(third).toEqual({ kind: "end", end: { before: [" c"], dropped: 2 } });
  });

  it("carry any list, sparse or full, in the shorter form", () => {
    const width = 28_672;
    for (const each of [1, 2, 7, 8, 9, 100, 5000]) {
      const active = Uint32Array.from({ length: Math.floor(width / each) }, (_, i) => i * each);
      const written = tokenFrame(
        { ...token, layers: [{ ...layer, layer: 0, active }] },
        { before: [], text: "" },
        counts,
        [width],
      );
      expect(written.length).toBeLessThan(width / 8 + 600);
      const reader = new FrameReader();
      reader.push(factsFrame("model", { ...facts, layers: [{ neurons: width }] }));
      const [frame] = reader.push(written);
      if (frame?.kind !== "token") throw new Error("another frame");
      expect(frame.token.layers[0]?.ids).toEqual(active);
    }
  });

  it("go without lists where these are more than a megabyte", () => {
    const active = Uint32Array.from({ length: 1 << 22 }, (_, i) => 2 * i);
    const layers = [0, 1].map((at) => ({ ...layer, layer: at, active }));
    const width = 1 << 23;
    const written = tokenFrame({ ...token, layers }, { before: [], text: "" }, counts, [
      width,
      width,
    ]);
    expect(written.length).toBeLessThan(maxTokenFrame);
    const reader = new FrameReader();
    reader.push(
      factsFrame("model", { ...facts, layers: [{ neurons: width }, { neurons: width }] }),
    );
    const [frame] = reader.push(written);
    expect(frame?.kind === "token" && frame.token.layers.map(({ ids }) => ids)).toEqual([
      undefined,
      undefined,
    ]);
  });
});
