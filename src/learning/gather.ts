/**
 * Runs a dense model over a corpus and shows what its layers did, batch after batch: the one source of
 * profiles, predictor training and calibration. Windows of text with BOS before each; BOS itself is not shown.
 */
import type { Backend, CompileOptions } from "../backends/backend.ts";
import { LimitError, OptionError } from "../core/errors.ts";
import { createRandom } from "../core/random.ts";
import { type Bytes, MiB, type Tokens } from "../core/units.ts";
import { buildProgram } from "../model/build-program.ts";
import type { ExposedLayer } from "../model/expose.ts";
import { headsOf } from "../model/hyperparameters.ts";
import type { Model } from "../model/model.ts";
import { Session } from "../runtime/session.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import type { Corpus } from "./corpus.ts";
import type { CorpusPart, FfnShape, LayerSamples, SampleBatch } from "./ffn-samples.ts";
import { readWindows, type TextWindow } from "./gather-windows.ts";
import { runWindow } from "./run-window.ts";

export interface GathererOptions extends CompileOptions {
  /** Layers to show, rising. Default: all. */
  readonly layers?: readonly number[];
  /** Tokens of a window, BOS included. Default: the model's context, at most 512. */
  readonly window?: Tokens;
}

export interface GatherRequest {
  readonly corpus: Corpus;
  /** Stop at this token of the corpus, whichever part it is in. */
  readonly tokens: Tokens;
  /** Tokens of the corpus to pass over: how far an earlier run came. Default 0. */
  readonly from?: Tokens;
  /** Default "all". The parts of a corpus depend on `seed`, the window and `from`; they share no window. */
  readonly part?: CorpusPart | "all";
  /** Share of windows that are held out. Default 0.1. */
  readonly heldOut?: number;
  /** Default 1. */
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

export interface GatheredBatch extends SampleBatch {
  /** Tokens of the corpus read so far, with this batch and windows passed over. */
  readonly position: Tokens;
}

/** For what is shown, on the device and again on the host. More rows share weight loads, no row needs another. */
const sampleBytes: Bytes = 256 * MiB;
const maxGatherRows = 128;

export class Gatherer implements Disposable {
  readonly shape: FfnShape;
  readonly #session: Session;
  readonly #tokenizer: Tokenizer;
  readonly #exposed: readonly ExposedLayer[];
  readonly #window: Tokens;

  private constructor(parts: {
    readonly shape: FfnShape;
    readonly session: Session;
    readonly tokenizer: Tokenizer;
    readonly exposed: readonly ExposedLayer[];
    readonly window: Tokens;
  }) {
    this.shape = parts.shape;
    this.#session = parts.session;
    this.#tokenizer = parts.tokenizer;
    this.#exposed = parts.exposed;
    this.#window = parts.window;
  }

  /** The backend stays the caller's. @throws OptionError for a window or layer that the model does not have. */
  static async open(
    model: Model,
    tokenizer: Tokenizer,
    backend: Backend,
    options: GathererOptions = {},
  ): Promise<Gatherer> {
    const { contextLength, layers: layerCount } = model.hyperparameters;
    const window = options.window ?? Math.min(512, contextLength);
    if (!Number.isInteger(window) || window < 2 || window > contextLength) {
      throw new OptionError("window", String(window), `2 to ${contextLength} tokens`);
    }
    const all = Array.from({ length: layerCount }, (_, layer) => layer);
    const exposed = options.layers ?? all;
    const unknown = exposed.find((layer) => !all.includes(layer));
    if (unknown !== undefined) {
      throw new OptionError("layers", String(unknown), `layers from 0 to ${layerCount - 1}`);
    }
    const shape = ffnShapeOf(model);
    const { program, slots } = buildProgram(model, {
      contextLength: window,
      sequences: 1,
      maxRows: Math.min(maxGatherRows, window, rowsWithin(model, exposed)),
      maxOutputs: 1,
      kvType: "f32",
      output: "none",
      methodFor: () => ({ kind: "dense" }),
      exposed,
    });
    const session = await Session.open(backend, program, {}, options);
    return new Gatherer({ shape, session, tokenizer, exposed: slots.exposed, window });
  }

  /** Batches in order of the corpus. Their arrays are valid until the next batch is asked for. */
  async *batches(request: GatherRequest): AsyncGenerator<GatheredBatch, void, undefined> {
    const { part = "all", heldOut = 0.1, seed = 1, signal } = request;
    const windows = readWindows(request.corpus, this.#tokenizer, {
      window: this.#window,
      from: request.from ?? 0,
      until: request.tokens,
    });
    for await (const window of windows) {
      const own = partOf(window, { corpus: request.corpus, heldOut, seed });
      if (part !== "all" && part !== own) continue;
      for await (const batch of this.#runWindow(window, own)) {
        signal?.throwIfAborted();
        yield batch;
      }
    }
  }

  [Symbol.dispose](): void {
    this.#session[Symbol.dispose]();
  }

  async *#runWindow(window: TextWindow, part: CorpusPart): AsyncGenerator<GatheredBatch> {
    for await (const { from, rows, done } of runWindow(this.#session, window)) {
      const layers = this.#exposed.map((slots) => this.#samples(slots, { from, rows }));
      yield { part, rows, layers, position: window.position + done };
    }
  }

  #samples(
    slots: ExposedLayer,
    range: { readonly from: number; readonly rows: number },
  ): LayerSamples {
    const { from, rows } = range;
    const view = (slot: ExposedLayer["h"]): Float32Array =>
      this.#session.executable.output(slot).subarray(from * slot.width, (from + rows) * slot.width);
    return {
      layer: slots.layer,
      input: view(slots.input),
      normed: view(slots.normed),
      ...(slots.gate && { gate: view(slots.gate) }),
      h: view(slots.h),
      attentionInput: view(slots.attentionInput),
      attentionOutput: view(slots.attentionOutput),
    };
  }
}

function ffnShapeOf(model: Model): FfnShape {
  const { dim, neurons } = model.hyperparameters;
  return { dim, neurons, gating: model.architecture.gating, activation: model.activation };
}

function rowsWithin({ hyperparameters, architecture }: Model, layers: readonly number[]): number {
  const { dim, attention, neurons } = hyperparameters;
  const perNeuron = architecture.gating === "ungated" ? 1 : 2;
  const elements = layers.reduce((sum, layer) => {
    const { heads, valueWidth } = headsOf(attention, layer);
    return sum + 3 * dim + heads * valueWidth + perNeuron * (neurons[layer] ?? 0);
  }, 0);
  const copies = 2;
  const rows = Math.floor(sampleBytes / (4 * copies * elements));
  if (rows >= 1) return rows;
  throw new LimitError(
    `the activations of ${layers.length} layers take more than ${sampleBytes / MiB} MiB a token; ask for fewer layers`,
  );
}

/** The same for the same corpus, seed and place, whatever was read before. */
export function partOf(
  window: TextWindow,
  split: { readonly corpus: Corpus; readonly heldOut: number; readonly seed: number },
): CorpusPart {
  const { corpus, heldOut, seed } = split;
  const content = Number.parseInt(corpus.hash.slice(0, 8), 16);
  const place = Math.imul(window.position + 1, 0x9e3779b9);
  return createRandom(seed ^ content ^ place).uniform() < heldOut ? "held-out" : "train";
}
