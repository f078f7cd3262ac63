/** The numbers and weights of layers with a gated delta rule in place of attention (2412.06464), as llama.cpp names them. */
import type { KvLayer } from "../ops/kv-shape.ts";
import type { Weight } from "../ops/op.ts";
import type { KeyReader } from "./hyperparameters.ts";
import type { Linear, Norm } from "./weights.ts";

/** One layer's heads. q and k have `keyHeads` heads; head h of v uses ⌊h/keyRun⌋ mod keyHeads. */
export interface DeltaNetShape {
  /** Rows that the convolution over q, k and v sees, its own included. */
  readonly taps: number;
  readonly heads: number;
  /** A divisor of `heads`. */
  readonly keyHeads: number;
  /** So many heads of v in a row share one. */
  readonly keyRun: number;
  readonly keyWidth: number;
  readonly valueWidth: number;
}

export interface DeltaNetWeights {
  readonly kind: "delta-net";
  readonly qkv: Linear; // [channels, dim]
  /** What the output of a head is multiplied by, behind its norm and a SiLU of this. */
  readonly gate: Linear; // [heads · valueWidth, dim]
  /** How much a token leaves of the state, and how much it writes. */
  readonly gates:
    | { readonly kind: "apart"; readonly decay: Linear; readonly strength: Linear } // [heads, dim] each
    /** Strengths, then decays, of the heads of each key head in turn. */
    | { readonly kind: "fused"; readonly both: Linear }; // [2 · heads, dim]
  readonly convolution: Weight; // [channels, taps]
  readonly rate: Weight; // [1, heads]
  readonly bias: Weight; // [1, heads]
  readonly norm: Norm; // [valueWidth]
  readonly output: Linear; // [dim, heads · valueWidth]
}

/** Elements of q, k and v together. */
export function channelsOf({ heads, keyHeads, keyWidth, valueWidth }: DeltaNetShape): number {
  return 2 * keyHeads * keyWidth + heads * valueWidth;
}

export function stateLayer(net: DeltaNetShape): KvLayer {
  const { taps, heads, keyWidth: rows, valueWidth: columns } = net;
  return {
    kind: "recurrent",
    conv: { positions: taps - 1, channels: channelsOf(net) },
    state: { heads, rows, columns },
  };
}

/** More than any published model: 4 taps, 64 heads of 128. */
const bounds = {
  taps: { min: 2, max: 16, integer: true },
  heads: { min: 1, max: 1024, integer: true },
  width: { min: 1, max: 1024, integer: true },
  inner: { min: 1, max: 1 << 20, integer: true },
  interval: { min: 1, max: 1024, integer: true },
  flag: { min: 0, max: 1, integer: true },
} as const;

/** Keys under ssm: a state's size is the width of keys and of values, the rank of a time step the number of heads. */
export function readDeltaNet(keys: KeyReader): DeltaNetShape {
  const heads = keys.number("ssm.time_step_rank", bounds.heads);
  const keyHeads = keys.number("ssm.group_count", bounds.heads);
  const width = keys.number("ssm.state_size", bounds.width);
  const inner = keys.number("ssm.inner_size", bounds.inner);
  if (heads % keyHeads !== 0) {
    keys.fail("ssm.group_count", keyHeads, `a divisor of the ${heads} heads (ssm.time_step_rank)`);
  }
  if (inner !== heads * width) {
    keys.fail("ssm.inner_size", inner, `${heads * width}, ${heads} heads of ${width}`);
  }
  const taps = keys.number("ssm.conv_kernel", bounds.taps);
  return { taps, heads, keyHeads, keyRun: 1, keyWidth: width, valueWidth: width };
}

/** Where no key says otherwise; llama.cpp's default. */
const defaultInterval = 4;

/**
 * Which layers have a delta net: by a flag for each (attention.recurrent_layers), or all but every
 * full_attention_interval-th.
 */
export function readRecurrentLayers(keys: KeyReader, layers: number): readonly boolean[] {
  const key = "attention.recurrent_layers";
  const isRecurrent = keys.numberOrFlags(key, { bounds: bounds.flag, layers });
  const interval = keys.optional("full_attention_interval", bounds.interval) ?? defaultInterval;
  if (typeof isRecurrent === "number") keys.fail(key, isRecurrent, "one flag for each layer");
  return isRecurrent ?? Array.from({ length: layers }, (_, layer) => (layer + 1) % interval !== 0);
}
