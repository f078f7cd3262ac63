/**
 * What there is to say about a model without reading its weights: for `inspect`, for errors, and for the planner
 * that places the parts of each layer on devices by their true bytes.
 */
import { weightBytes } from "../core/dtype.ts";
import type { Bytes, Elements, Neurons } from "../core/units.ts";
import { stackWeights } from "../ops/expert-stack.ts";
import type { Activation, Gating, Weight } from "../ops/op.ts";
import type { Hyperparameters } from "./hyperparameters.ts";
import type { MixtureWeights, SharedExperts } from "./mixture.ts";
import type { Model } from "./model.ts";
import { blockOf, type FfnWeights, type LayerWeights, type Linear, type Norm } from "./weights.ts";

interface LayerBytes {
  /** Of all experts, where there are any. */
  readonly neurons: Neurons;
  /** With the matrices through which an embedding of its own comes in. */
  readonly attention: Bytes;
  readonly norms: Bytes;
  /** gate, up and down with their biases; of all experts, with the router. */
  readonly ffn: Bytes;
  /** Of `ffn`, what one token is computed with: less than all where it is routed to a few experts. */
  readonly ffnPerToken: Bytes;
  /** Of `ffn`, what one neuron takes: its gate and up rows and its down column. */
  readonly perNeuron: Bytes;
  readonly predictor: Bytes;
}

export interface ModelDescription {
  readonly architecture: string;
  readonly name: string | undefined;
  readonly hyperparameters: Hyperparameters;
  readonly vocabulary: number;
  /** Elements of all tensors in the file, predictors included. */
  readonly parameters: Elements;
  /** Sorted by bytes, the largest first. */
  readonly types: readonly {
    readonly type: string;
    readonly tensors: number;
    readonly bytes: Bytes;
  }[];
  readonly gating: Gating;
  readonly activation: Activation;
  readonly parallelResidual: boolean;
  readonly tied: boolean;
  /** Every layer has a predictor. */
  readonly hasPredictors: boolean;
  readonly notices: readonly string[];
  readonly embedding: Bytes;
  /** The output matrix and its norm; a tied matrix counts under embedding. */
  readonly output: Bytes;
  readonly layers: readonly LayerBytes[];
}

export function describeModel(model: Model): ModelDescription {
  const { architecture, hyperparameters, vocabulary, activation, tied, notices } = model;
  const tensors = [...model.gguf.tensors.values()];
  const elements = tensors.map((tensor) => tensor.dimensions.reduce((a, b) => a * b, 1));
  return {
    architecture: architecture.name,
    name: model.gguf.metadata.optionalString("general.name"),
    hyperparameters,
    vocabulary,
    parameters: sum(elements),
    types: summariseTypes(tensors),
    gating: architecture.gating,
    activation,
    parallelResidual: architecture.parallelResidual,
    tied,
    hasPredictors: model.layers.every((layer) => blockOf(layer)?.predictor !== undefined),
    notices,
    embedding: bytesOf(
      model.embedding,
      model.positions,
      model.layerInputs?.table,
      model.layerInputs?.projection.weight,
      ...normWeights(model.layerInputs?.norm),
    ),
    output: bytesOf(
      tied ? undefined : model.output,
      model.outputBias,
      ...normWeights(model.outputNorm),
    ),
    layers: model.layers.map(describeLayer),
  };
}

function describeLayer(layer: LayerWeights): LayerBytes {
  const { attentionNorm, attentionPostNorm, attention, ffnNorm, ffnPostNorm, input } = layer;
  const mixer = mixerParts(attention);
  const around = [attentionNorm, attentionPostNorm, ffnNorm, ffnPostNorm, input?.postNorm];
  const own = [...around, ...mixer.norms, blockOf(layer)?.hiddenNorm];
  const norms = own.flatMap((norm) => normWeights(norm));
  return {
    attention: bytesOf(...mixer.weights, input?.gate.weight, input?.projection.weight),
    norms: bytesOf(...norms),
    ...(layer.ffn.kind === "block" ? blockBytes(layer.ffn) : mixtureBytes(layer.ffn)),
  };
}

type FfnBytes = Omit<LayerBytes, "attention" | "norms">;

function blockBytes({
  neurons,
  gate,
  gateBias,
  up,
  down,
  downBias,
  predictor,
}: FfnWeights): FfnBytes {
  const matrices = bytesOf(gate, up.weight, down.weight);
  const ffn = matrices + bytesOf(gateBias, up.bias, downBias);
  return {
    neurons,
    ffn,
    ffnPerToken: ffn,
    perNeuron: matrices / neurons,
    predictor: bytesOf(predictor?.fc1, predictor?.fc2),
  };
}

function mixtureBytes({ logits, router, used, stack, shared }: MixtureWeights): FfnBytes {
  const experts = bytesOf(...stackWeights(stack));
  const always = bytesOf(logits.weight, logits.bias, router.bias, router.factors);
  const ofShared = shared === undefined ? 0 : sharedBytes(shared);
  const neurons = stack.count * stack.neurons;
  return {
    neurons,
    ffn: experts + always + ofShared,
    ffnPerToken: (experts * used) / stack.count + always + ofShared,
    perNeuron: experts / neurons,
    predictor: 0,
  };
}

function sharedBytes(shared: SharedExperts): Bytes {
  if (shared.kind === "plain") return blockBytes(shared.block).ffn;
  if (shared.kind === "normed") {
    const norms = Object.values(shared.norms).flatMap(normWeights);
    return blockBytes(shared.block).ffn + bytesOf(...norms);
  }
  return bytesOf(shared.gate.weight, shared.gate.bias, ...stackWeights(shared.stack));
}

/** What a layer mixes tokens with. */
function mixerParts(weights: LayerWeights["attention"]): {
  readonly weights: readonly (Weight | undefined)[];
  readonly norms: readonly (Norm | undefined)[];
} {
  const parts = (linears: readonly Linear[]): (Weight | undefined)[] =>
    linears.flatMap(({ weight, bias }) => [weight, bias]);
  switch (weights.kind) {
    case "attention": {
      const { q, k, v, output, qNorm, kNorm, mixedNorm, sinks } = weights;
      const linears = [q, k, v, output].filter((linear) => linear !== undefined);
      return { weights: [...parts(linears), sinks], norms: [qNorm, kNorm, mixedNorm] };
    }
    case "delta-net": {
      const { qkv, gate, gates, output, convolution, rate, bias, norm } = weights;
      const own = gates.kind === "fused" ? [gates.both] : [gates.decay, gates.strength];
      const matrices = parts([qkv, gate, ...own, output]);
      return { weights: [...matrices, convolution, rate, bias], norms: [norm] };
    }
    default:
      return weights satisfies never;
  }
}

function normWeights(norm: Norm | undefined): readonly (Weight | undefined)[] {
  return [norm?.weight, norm?.bias];
}

function bytesOf(...weights: readonly (Weight | undefined)[]): Bytes {
  return sum(weights.map((weight) => (weight === undefined ? 0 : weightBytes(weight))));
}

function summariseTypes(
  tensors: readonly { readonly type: string; readonly bytes: number }[],
): ModelDescription["types"] {
  const types = [...new Set(tensors.map((tensor) => tensor.type))];
  return types
    .map((type) => {
      const ofType = tensors.filter((tensor) => tensor.type === type);
      return { type, tensors: ofType.length, bytes: sum(ofType.map((tensor) => tensor.bytes)) };
    })
    .toSorted((left, right) => right.bytes - left.bytes);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
