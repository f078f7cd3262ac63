/** Which inputs of a layer's matrices count as 0 where they are small, and the copies by which a backend leaves their channels out. */
import type { FfnBlock, Weight } from "../ops/op.ts";

/** Inputs x of some matrices, of which those with |x|·norm < value count as 0 (TEAL 2408.14690, WINA 2505.19427). */
export interface MaskedInput<Matrix extends string> {
  readonly value: number;
  readonly norms: Float32Array; // [width of x]
  /** W^T [in, out] of these matrices, where there is one: for a backend that reads only the channels of x that a mask leaves. */
  readonly channels: Readonly<Partial<Record<Matrix, Weight | undefined>>>;
}

/** A place that is absent is not masked. */
export interface LayerMasks {
  readonly attention?: MaskedInput<"q" | "k" | "v" | "qkv" | "outputGate">;
  readonly attentionOutput?: MaskedInput<"output">;
  readonly ffn?: MaskedInput<"gate" | "up">;
}

export function blockChannels(masked: LayerMasks["ffn"]): Pick<FfnBlock, "channels"> {
  const { gate, up } = masked?.channels ?? {};
  if (up === undefined) return {};
  return { channels: { ...(gate && { gate }), up } };
}
