/**
 * Layers that see a window of the last tokens: for the `numbers` of an architecture file, which says how its layers take
 * turns. Keys and rules: llama.cpp, llama_hparams::set_swa_pattern and LLAMA_SWA_TYPE_STANDARD.
 */
import {
  type AttentionShape,
  bounds,
  type Hyperparameters,
  headsOf,
  type KeyReader,
  type RopeParameters,
  trainedContext,
} from "./hyperparameters.ts";

export interface WindowTraits {
  /** Where no key states one. Absent: then there are no windows, and none where the key says 0. */
  readonly window?: number;
  /** Of so many layers in turn, one sees all tokens: the last of them, or the first. 0: all layers have a window. */
  readonly period: number;
  readonly full?: "first" | "last";
  /** How layers with a window rotate, where no key says otherwise; absent: as the others. */
  readonly rope?: {
    readonly base?: number;
    readonly isUnscaled?: true;
    readonly ignoresFactors?: true;
  };
}

/**
 * Keys: attention.sliding_window; attention.sliding_window_pattern, a period or one flag a layer; of layers with a
 * window attention.key_length_swa, attention.value_length_swa, rope.dimension_count_swa and rope.freq_base_swa.
 * @throws FileFormatError for a window of nothing, a list of another length, and widths that make no sense.
 */
export function withWindows(
  shape: Hyperparameters,
  keys: KeyReader,
  traits: WindowTraits,
): Hyperparameters {
  const window = readWindow(keys, traits);
  const { slidingWindow: _, ...rest } = shape;
  const whole = { ...rest, contextLength: trainedContext(keys) };
  const hasWindow = readPattern(keys, { ...traits, layers: shape.layers });
  const widths = {
    key: keys.optional("attention.key_length_swa", bounds.headDim),
    value: keys.optional("attention.value_length_swa", bounds.headDim),
  };
  const rope = readWindowRope(keys, shape, { ...traits, keyWidth: widths.key });
  if (window === undefined) return whole;
  return {
    ...whole,
    attention: shape.attention.map((heads, layer) =>
      hasWindow(layer) ? { ...withWidths(heads, widths), window } : heads,
    ),
    ...(rope && { windowRope: rope }),
  };
}

/** For `positions.of`: layers with a window have a RoPE of their own. */
export function ropeByWindow(layer: number, shape: Hyperparameters): RopeParameters {
  const { window } = headsOf(shape.attention, layer);
  return window === undefined ? shape.rope : (shape.windowRope ?? shape.rope);
}

/** For `positions.of`: only layers with a window rotate. */
export function ropeOfWindows(layer: number, shape: Hyperparameters): RopeParameters | undefined {
  const { window } = headsOf(shape.attention, layer);
  return window === undefined ? undefined : (shape.windowRope ?? shape.rope);
}

/** The window that the file states is not computed, as llama.cpp does not; a notice says so. */
export function withoutWindow(shape: Hyperparameters, keys: KeyReader): Hyperparameters {
  const { slidingWindow, ...rest } = shape;
  if (slidingWindow === undefined) return shape;
  return { ...rest, contextLength: trainedContext(keys), ignoredWindow: slidingWindow };
}

/** Scores of all layers are capped. Key: attn_logit_softcapping; `otherwise`: where it is missing. */
export function withSoftCap(
  shape: Hyperparameters,
  keys: KeyReader,
  otherwise?: number,
): Hyperparameters {
  const softCap = keys.optional("attn_logit_softcapping", bounds.softCap) ?? otherwise;
  if (softCap === undefined) return shape;
  return { ...shape, attention: shape.attention.map((heads) => ({ ...heads, softCap })) };
}

function readWindow(keys: KeyReader, traits: WindowTraits): number | undefined {
  const key = "attention.sliding_window";
  const stated = keys.optional(key, bounds.contextLength) ?? traits.window;
  if (stated !== 0) return stated;
  if (traits.window === undefined) return undefined;
  return keys.fail(key, 0, "a window of at least 1 token");
}

function readPattern(
  keys: KeyReader,
  traits: WindowTraits & { readonly layers: number },
): (layer: number) => boolean {
  const key = "attention.sliding_window_pattern";
  const model = { bounds: bounds.windowPeriod, layers: traits.layers };
  const stated = keys.numberOrFlags(key, model) ?? traits.period;
  if (typeof stated !== "number") return (layer) => stated[layer] === true;
  const full = traits.full === "first" ? 0 : stated - 1;
  return (layer) => stated === 0 || layer % stated !== full;
}

function withWidths(
  heads: AttentionShape,
  widths: { readonly key: number | undefined; readonly value: number | undefined },
): AttentionShape {
  const keyWidth = widths.key ?? heads.keyWidth;
  const isPlain = heads.scale === 1 / Math.sqrt(heads.keyWidth);
  return {
    ...heads,
    keyWidth,
    valueWidth: widths.value ?? heads.valueWidth,
    scale: isPlain ? 1 / Math.sqrt(keyWidth) : heads.scale,
  };
}

/** Undefined where it is that of the other layers. */
function readWindowRope(
  keys: KeyReader,
  { rope, attention }: Hyperparameters,
  traits: WindowTraits & { readonly keyWidth: number | undefined },
): RopeParameters | undefined {
  const headDim = traits.keyWidth ?? headsOf(attention).keyWidth;
  const dims =
    keys.optional("rope.dimension_count_swa", bounds.headDim) ?? Math.min(rope.dims, headDim);
  if (dims % 2 !== 0 || dims > headDim) {
    keys.fail("rope.dimension_count_swa", dims, `an even number up to the head's ${headDim}`);
  }
  const base = keys.optional("rope.freq_base_swa", bounds.ropeBase) ?? traits.rope?.base;
  const isUnscaled = traits.rope?.isUnscaled === true && rope.scaling.kind !== "none";
  const { ignoresFactors } = traits.rope ?? {};
  const isLike = dims === rope.dims && (base ?? rope.base) === rope.base;
  if (isLike && !isUnscaled && !ignoresFactors) return undefined;
  const plain = { scaling: { kind: "none" }, attentionFactor: 1 } as const;
  return {
    ...rope,
    dims,
    base: base ?? rope.base,
    ...(isUnscaled && plain),
    ...(ignoresFactors && { ignoresFactors }),
  };
}
