/** Frames of `/neurons`, as docs/formats/neuron-frames.md has them: from pieces of bytes to facts, tokens and the end. */
import { isRecord } from "../api/failures.ts";
import type { Unit } from "../plan/budget-plans.ts";

export interface Facts {
  /** What is shown one by one: the experts of a mixture. */
  readonly unit: Unit;
  readonly model: string;
  readonly method: string;
  readonly activation: string;
  /** What a token would read if all neurons, or all experts, were computed. */
  readonly bytesDense: number;
  /** 0: there is no profile. */
  readonly profileTokens: number;
  /** What the plan expects on the card; undefined without a plan. */
  readonly expectedHotShare: number | undefined;
  readonly layers: readonly LayerFacts[];
}

interface LayerFacts {
  readonly neurons: number;
  readonly experts: { readonly count: number; readonly used: number } | undefined;
  /** 1 for each neuron, or expert, on the card; undefined without a plan. */
  readonly hot: Uint8Array | undefined;
  /** Share of the profile's tokens, 0 to 1; undefined without a profile. */
  readonly profile: Float32Array | undefined;
}

export interface MapToken {
  readonly id: number;
  readonly index: number;
  readonly text: string;
  /** Texts of tokens in front of it that were not shown. */
  readonly before: readonly string[];
  readonly rows: number;
  /** Milliseconds, as all times. */
  readonly stepTime: number;
  readonly showingTime: number;
  readonly dropped: number;
  readonly bytes: number;
  readonly timeline: readonly Interval[];
  readonly layers: readonly TokenLayer[];
}

export interface Interval {
  readonly track: "gpu" | "cpu" | "link";
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

interface TokenLayer {
  readonly layer: number;
  readonly ofExperts: boolean;
  readonly activeCount: number;
  readonly bytesTouched: number;
  readonly time: number | undefined;
  readonly predictorTime: number | undefined;
  /** Of neurons or experts, rising; undefined where all were computed, or none counted one by one. */
  readonly ids: Uint32Array | undefined;
}

export interface End {
  readonly before: readonly string[];
  readonly dropped: number;
}

export type Frame =
  | { readonly kind: "facts"; readonly facts: Facts }
  | { readonly kind: "token"; readonly token: MapToken }
  | { readonly kind: "end"; readonly end: End };

type Json = Record<string, unknown>;

export class FrameReader {
  #held: Uint8Array<ArrayBufferLike> = new Uint8Array(0);
  /** Of the lists of layers: a layer's neurons, or experts. */
  #widths: readonly number[] = [];

  /** The frames that are whole with this piece. */
  push(piece: Uint8Array): readonly Frame[] {
    const bytes = joined(this.#held, piece);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const frames: Frame[] = [];
    let at = 0;
    while (at + 9 <= bytes.length) {
      const end = at + 4 + view.getUint32(at, true);
      if (end > bytes.length) break;
      const rest = at + 9 + view.getUint32(at + 5, true);
      const head: unknown = JSON.parse(new TextDecoder().decode(bytes.subarray(at + 9, rest)));
      const frame = isRecord(head)
        ? this.#frame(view.getUint8(at + 4), head, bytes.subarray(rest, end))
        : undefined;
      if (frame !== undefined) frames.push(frame);
      at = end;
    }
    this.#held = bytes.slice(at);
    return frames;
  }

  #frame(kind: number, head: Json, body: Uint8Array): Frame | undefined {
    if (kind === 1) {
      const facts = factsIn(head, body);
      this.#widths = facts.layers.map(({ neurons, experts }) => experts?.count ?? neurons);
      return { kind: "facts", facts };
    }
    if (kind === 2) return { kind: "token", token: tokenIn(head, body, this.#widths) };
    const end = { before: textsIn(head["before"]), dropped: numberIn(head, "dropped") };
    return kind === 3 ? { kind: "end", end } : undefined;
  }
}

function joined(held: Uint8Array, piece: Uint8Array): Uint8Array {
  if (held.length === 0) return piece;
  const all = new Uint8Array(held.length + piece.length);
  all.set(held);
  all.set(piece, held.length);
  return all;
}

function factsIn(head: Json, body: Uint8Array): Facts {
  let at = 0;
  const take = (bytes: number): Uint8Array => {
    at += bytes;
    return new Uint8Array(body.subarray(at - bytes, at));
  };
  const expected = head["expectedHotShare"];
  const layers = recordsIn(head["layers"]).map((layer): LayerFacts => {
    const neurons = numberIn(layer, "neurons");
    const given = layer["experts"];
    const experts = isRecord(given)
      ? { count: numberIn(given, "count"), used: numberIn(given, "used") }
      : undefined;
    const hot = take(numberIn(layer, "hotBytes"));
    const profile = take(numberIn(layer, "profileBytes"));
    return {
      neurons,
      experts,
      hot: hot.length === 0 ? undefined : flagsOf(hot, experts?.count ?? neurons),
      profile:
        profile.length === 0
          ? undefined
          : Float32Array.from(new Uint16Array(profile.buffer), (share) => share / 0xffff),
    };
  });
  const unit = layers.some(({ experts }) => experts !== undefined) ? "expert" : "neuron";
  return {
    unit,
    model: String(head["model"]),
    method: String(head["method"]),
    activation: String(head["activation"]),
    bytesDense: numberIn(head, unit === "expert" ? "bytesOfBlocks" : "bytesDensePerToken"),
    profileTokens: numberIn(head, "profileTokens"),
    expectedHotShare: typeof expected === "number" ? expected : undefined,
    layers,
  };
}

function tokenIn(head: Json, body: Uint8Array, widths: readonly number[]): MapToken {
  let at = 0;
  const timeline: readonly unknown[] = Array.isArray(head["timeline"]) ? head["timeline"] : [];
  return {
    id: numberIn(head, "id"),
    index: numberIn(head, "index"),
    text: String(head["text"]),
    before: textsIn(head["before"]),
    rows: numberIn(head, "rows"),
    stepTime: numberIn(head, "stepTime"),
    showingTime: numberIn(head, "showingTime"),
    dropped: numberIn(head, "dropped"),
    bytes: numberIn(head, "bytes"),
    timeline: timeline.flatMap(intervalIn),
    layers: recordsIn(head["layers"]).map((one): TokenLayer => {
      const layer = numberIn(one, "layer");
      const list = body.subarray(at, at + numberIn(one, "bytes"));
      at += list.length;
      return {
        layer,
        ofExperts: one["ofExperts"] === true,
        activeCount: numberIn(one, "activeCount"),
        bytesTouched: numberIn(one, "bytesTouched"),
        time: optionalIn(one, "time"),
        predictorTime: optionalIn(one, "predictorTime"),
        ids: idsOf(one["form"], list, widths[layer] ?? 0),
      };
    }),
  };
}

function intervalIn(value: unknown): readonly Interval[] {
  if (!Array.isArray(value)) return [];
  const [track, name, start, end]: readonly unknown[] = value;
  if (track !== "gpu" && track !== "cpu" && track !== "link") return [];
  return [{ track, name: String(name), start: Number(start), end: Number(end) }];
}

function idsOf(form: unknown, list: Uint8Array, width: number): Uint32Array | undefined {
  if (form === "steps") return idsOfSteps(list);
  if (form !== "bits") return undefined;
  const flags = flagsOf(list, width);
  const ids = new Uint32Array(flags.reduce((sum, flag) => sum + flag, 0));
  let count = 0;
  for (let id = 0; id < width; id++) if (flags[id] === 1) ids[count++] = id;
  return ids;
}

function flagsOf(bits: Uint8Array, count: number): Uint8Array {
  const flags = new Uint8Array(count);
  for (let id = 0; id < count; id++) flags[id] = ((bits[id >> 3] ?? 0) >> (id & 7)) & 1;
  return flags;
}

function idsOfSteps(list: Uint8Array): Uint32Array {
  const ids = new Uint32Array(list.reduce((sum, byte) => sum + (byte < 0x80 ? 1 : 0), 0));
  let [count, id, step, shift] = [0, -1, 0, 0];
  for (const byte of list) {
    step |= (byte & 0x7f) << shift;
    shift += 7;
    if (byte >= 0x80) continue;
    id += step;
    ids[count++] = id;
    step = 0;
    shift = 0;
  }
  return ids;
}

function recordsIn(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.filter(isRecord) : [];
}

function textsIn(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function numberIn(record: Json, name: string): number {
  return optionalIn(record, name) ?? 0;
}

function optionalIn(record: Json, name: string): number | undefined {
  const value = record[name];
  return typeof value === "number" ? value : undefined;
}
