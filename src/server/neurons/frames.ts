/**
 * What a reader of `/neurons` gets, as bytes: docs/formats/neuron-frames.md. A frame is its length, a kind, a head of JSON
 * and what is too much for JSON: bits and lists of neurons. Each is bounded: what is larger goes without its lists.
 */
import type { Bytes } from "../../core/units.ts";
import type { NeuronFacts, NeuronLayer, ShownLayer, ShownToken } from "../../index.ts";

/** Facts once, then a frame for each token that is shown, then how it ended. */
const frameKinds = { facts: 1, token: 2, end: 3 } as const;

/** Bits of 70 layers of 28,672 neurons are 250 KiB; more than any model of today has. */
export const maxTokenFrame: Bytes = 1 << 20;
/** The profile takes two bytes a neuron: of 80 × 28,672, 4.4 MiB. */
const maxFactsFrame: Bytes = 16 << 20;

/** Of a token's text: what was not shown before it, and its own. */
export interface TokenTexts {
  readonly before: readonly string[];
  readonly text: string;
}

/** Counts of a watch so far: frames that the reader was too slow for, and all bytes before this frame. */
export interface WatchCounts {
  readonly dropped: number;
  readonly bytes: Bytes;
}

export function factsFrame(model: string, facts: NeuronFacts): Buffer {
  const {
    method,
    activation,
    layers,
    profileTokens,
    bytesDensePerToken,
    bytesOfBlocks,
    expectedHotShare,
  } = facts;
  const hot = layers.map(hotBits);
  const profile = layers.map((layer) => profileShares(layer, profileTokens ?? 0));
  const bytes = [...hot, ...profile].reduce((sum, part) => sum + part.length, 0);
  const fits = bytes <= maxFactsFrame;
  const head = {
    model,
    method,
    activation,
    bytesDensePerToken,
    bytesOfBlocks,
    profileTokens,
    expectedHotShare,
    isCut: !fits,
    layers: layers.map(({ neurons, experts }, at) => ({
      neurons,
      experts,
      hotBytes: fits ? hot[at]?.length : 0,
      profileBytes: fits ? profile[at]?.length : 0,
    })),
  };
  return frame(
    frameKinds.facts,
    head,
    fits ? hot.flatMap((one, at) => [one, profile[at] ?? none]) : [],
  );
}

export function tokenFrame(
  { layers, ...token }: ShownToken,
  texts: TokenTexts,
  counts: WatchCounts,
  widths: readonly number[],
): Buffer {
  const lists = layers.map((layer) => encoded(layer, widths[layer.layer] ?? 0));
  const bytes = lists.reduce((sum, { data }) => sum + data.length, 0);
  const sent = bytes <= maxTokenFrame ? lists : lists.map(() => noList);
  const { index, rows, stepTime, showingTime, timeline, token: id } = token;
  const head = {
    ...{ id, index, ...texts, rows, stepTime, showingTime, ...counts },
    timeline: timeline.map(({ track, name, start, end }) => [track, name, start, end]),
    layers: layers.map(
      ({ layer, ofExperts, activeCount, bytesTouched, time, predictorTime }, at) => ({
        ...{ layer, ofExperts, activeCount, bytesTouched, time, predictorTime },
        form: sent[at]?.form,
        bytes: sent[at]?.data.length,
      }),
    ),
  };
  return frame(
    frameKinds.token,
    head,
    sent.map(({ data }) => data),
  );
}

export function endFrame(before: readonly string[], counts: WatchCounts): Buffer {
  return frame(frameKinds.end, { before, ...counts }, []);
}

/** u32 bytes behind these four, u8 kind, u32 bytes of the head, the head, the rest; little-endian. */
function frame(kind: number, head: object, parts: readonly Uint8Array[]): Buffer {
  const text = Buffer.from(JSON.stringify(head));
  const start = Buffer.alloc(9);
  const length = 5 + text.length + parts.reduce((sum, part) => sum + part.length, 0);
  start.writeUInt32LE(length, 0);
  start.writeUInt8(kind, 4);
  start.writeUInt32LE(text.length, 5);
  return Buffer.concat([start, text, ...parts]);
}

interface List {
  /** "bits": bit i of byte i/8 for id i. "steps": from each id to the next, from −1, as LEB128. "none": not listed. */
  readonly form: "bits" | "steps" | "none";
  readonly data: Uint8Array;
}

const none = new Uint8Array(0);
const noList: List = { form: "none", data: none };

/** The shorter of both. */
function encoded({ active }: ShownLayer, width: number): List {
  if (active === undefined) return noList;
  const steps = stepsOf(active);
  const bytes = Math.ceil(width / 8);
  return steps.length < bytes
    ? { form: "steps", data: steps }
    : { form: "bits", data: bits(active, bytes) };
}

function bits(ids: Uint32Array, bytes: number): Uint8Array {
  const data = new Uint8Array(bytes);
  for (const id of ids) data[id >> 3] = (data[id >> 3] ?? 0) | (1 << (id & 7));
  return data;
}

function stepsOf(ids: Uint32Array): Uint8Array {
  // An id has 32 bits, seven to a byte.
  const data = new Uint8Array(5 * ids.length);
  let at = 0;
  let last = -1;
  for (const id of ids) {
    let step = id - last;
    last = id;
    for (; step >= 0x80; step >>>= 7) data[at++] = (step & 0x7f) | 0x80;
    data[at++] = step;
  }
  return data.subarray(0, at);
}

function hotBits({ hot, neurons, experts }: NeuronLayer): Uint8Array {
  return hot === undefined ? none : bits(hot, Math.ceil((experts?.count ?? neurons) / 8));
}

/** Shares of the profile's tokens, as u16 of 65535; what was ever active is not 0. */
function profileShares({ profile }: NeuronLayer, tokens: number): Uint8Array {
  if (profile === undefined || tokens === 0) return none;
  const shares = Buffer.alloc(2 * profile.length);
  profile.forEach((count, at) => {
    const share = Math.min(0xffff, Math.round((count / tokens) * 0xffff));
    shares.writeUInt16LE(count > 0 ? Math.max(1, share) : 0, 2 * at);
  });
  return shares;
}
