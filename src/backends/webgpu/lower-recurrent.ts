/** Ops on the state of a layer: a kernel each. */
import { type RecurrentLayer, recurrentLayer } from "../../ops/kv-shape.ts";
import type { OpOf } from "../../ops/op.ts";
import type { BufferSpec } from "./kernel.ts";
import { convolve, deltaRule } from "./kernels/recurrent.ts";
import type { Lowering } from "./lowering.ts";

export function lowerConvolve(op: OpOf<"convolve">, lowering: Lowering): void {
  const { program, buffers, slot, step } = lowering;
  const { own, state } = stateOf(op.layer, lowering);
  const { weight, x, out } = op;
  const length = weight.rows * weight.columns;
  const taps = buffers.vector(weight.name, [{ weight, length }]);
  const bound = { step, x: slot(x), out: slot(out), weight: taps, state };
  lowering.emit(convolve(op, { layer: own, kv: program.kv }, bound));
}

export function lowerDeltaRule(op: OpOf<"delta-rule">, lowering: Lowering): void {
  const { program, buffers, slot, step } = lowering;
  const { own, state } = stateOf(op.layer, lowering);
  const length = own.state.heads;
  const gates = buffers.vector(op.rate.name, [
    { weight: op.rate, length },
    { weight: op.bias, length },
  ]);
  const bound = {
    step,
    x: slot(op.x),
    decay: slot(op.decay),
    strength: slot(op.strength),
    out: slot(op.out),
    gates,
    state,
  };
  lowering.emit(deltaRule(op, { layer: own, kv: program.kv }, bound));
}

function stateOf(
  layer: number,
  { program, states }: Lowering,
): { readonly own: RecurrentLayer; readonly state: BufferSpec } {
  const own = recurrentLayer(program.kv, layer);
  const state = states[layer];
  if (own !== undefined && state !== undefined) return { own, state };
  throw new RangeError(`layer ${layer} of the cache has no state of fixed size`);
}
