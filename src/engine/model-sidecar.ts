/** The sidecar of a model: where it is, and what it must fit. */
import { mixerSources } from "../derived-weights/channel-copies.ts";
import type { Model } from "../model/model.ts";
import { findSidecar, openSidecar } from "../sparsity/sidecar/read.ts";
import { type Sidecar, type SidecarModel, sidecarPathOf } from "../sparsity/sidecar/sidecar.ts";

/** What a sidecar of this model must fit. */
export function sidecarModelOf(model: Model): SidecarModel {
  const { dim, neurons, mixture } = model.hyperparameters;
  const attention = model.layers.map((layer) => {
    const { q, k, v, qkv, outputGate } = mixerSources(layer.attention);
    return {
      queries: q?.rows ?? 0,
      keys: k?.rows ?? 0,
      values: v?.rows ?? 0,
      qkv: qkv?.rows ?? 0,
      outputGate: outputGate?.rows ?? 0,
      output: layer.attention.output.weight.columns,
    };
  });
  const fingerprint = model.gguf.fingerprint();
  if (mixture === undefined) return { fingerprint, dim, neurons, attention };
  const experts = model.layers.map(({ ffn }) => (ffn.kind === "mixture" ? ffn.stack.count : 0));
  return { fingerprint, dim, neurons, experts, attention };
}

/** The sidecar that was named, or the one beside the model if there is one. @throws FileFormatError for another model's. */
export function sidecarOf(model: Model, named: string | undefined): Sidecar | undefined {
  const shape = sidecarModelOf(model);
  return named === undefined
    ? findSidecar(sidecarPathOf(model.gguf.path), shape)
    : openSidecar(named, shape);
}
