/** Layers of a file behind those of the model, which propose further tokens (nextn): they are not computed. */
import type { Hyperparameters, KeyReader } from "./hyperparameters.ts";

/** Key: nextn_predict_layers, of those that the file counts. */
export function withoutProposingLayers(shape: Hyperparameters, keys: KeyReader): Hyperparameters {
  const most = shape.layers - 1;
  const proposing =
    keys.optional("nextn_predict_layers", { min: 0, max: most, integer: true }) ?? 0;
  if (proposing === 0) return shape;
  const layers = shape.layers - proposing;
  return {
    ...shape,
    layers,
    attention: shape.attention.slice(0, layers),
    neurons: shape.neurons.slice(0, layers),
    proposingLayers: proposing,
  };
}
