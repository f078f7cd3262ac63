/** What a feed-forward block is made of, and what must hold of it: its weights, its subset, what its method needs. */
import { activeWidth } from "./active-bits.ts";
import type { FfnBlock, Predictor, Slot, SparsityMethod, Weight } from "./op.ts";
import {
  isMatrix,
  isVector,
  type Requirement,
  requires,
  subsetRequirement,
} from "./requirement.ts";

/** What the method reads beside the block's input, to choose neurons. */
export function predictorInputs(method: SparsityMethod): readonly Slot[] {
  if (method.kind === "given") return [method.active];
  return method.kind === "mlp" ? [method.input] : [];
}

/** The method with its slots in another program. */
export function methodWithSlots<Method extends SparsityMethod>(
  method: Method,
  slot: (slot: Slot) => Slot,
): Method {
  if (method.kind === "given") return { ...method, active: slot(method.active) };
  return method.kind === "mlp" ? { ...method, input: slot(method.input) } : method;
}

export function predictorWeights(method: SparsityMethod): readonly Weight[] {
  return method.kind === "mlp" ? [method.fc1, method.fc2] : [];
}

/** Whether one device must compute all neurons: a norm before down sums over them. */
export function isIndivisible({ hiddenNorm }: FfnBlock): boolean {
  return hiddenNorm !== undefined;
}

export function blockWithSlots(block: FfnBlock, slot: (slot: Slot) => Slot): FfnBlock {
  return { ...block, method: methodWithSlots(block.method, slot) };
}

/** All weights but the channel-major copies. */
export function blockWeights(block: FfnBlock): readonly Weight[] {
  const { gate, gateBias, up, upBias, down, downBias, hiddenNorm, method } = block;
  const vectors = [gateBias, upBias, downBias, hiddenNorm?.weight];
  const weights = [gate, up, down.weight, ...vectors, ...predictorWeights(method)];
  return weights.filter((weight) => weight !== undefined);
}

export function blockRequirements(block: FfnBlock): readonly Requirement[] {
  const { dim, neurons, gating, down } = block;
  return [
    requires((block.gate === undefined) === (gating === "ungated"), "a gate iff gated", gating),
    requires(block.gateBias === undefined || gating !== "ungated", "a bias of a gate", gating),
    requires(
      gating !== "clamped" || block.method.kind === "dense",
      "the method dense in a clamped block",
      block.method.kind,
    ),
    isVector(block.gateBias, neurons),
    isMatrix(block.up, [neurons, dim]),
    isMatrix(block.gate ?? block.up, [neurons, dim]),
    isVector(block.upBias, neurons),
    isVector(block.downBias, dim),
    isVector(block.hiddenNorm?.weight, neurons),
    requires(
      block.hiddenNorm === undefined || block.subset === undefined,
      "all neurons in a block with a norm before down",
      "a subset",
    ),
    isMatrix(down.weight, down.layout === "rows" ? [neurons, dim] : [dim, neurons]),
    subsetRequirement(block.subset, "neuron", neurons),
    ...channelRequirements(block),
    ...methodRequirements(block),
  ];
}

function channelRequirements({
  channels,
  method,
  gate,
  dim,
  neurons,
}: FfnBlock): readonly Requirement[] {
  if (channels === undefined) return [];
  const isLike = (channels.gate === undefined) === (gate === undefined);
  const hasMethod = method.kind === "threshold-output";
  return [
    requires(hasMethod, "threshold-output in a block with channels", method.kind),
    requires(isLike, "channels of the gate iff gated", channels.gate?.name ?? "none"),
    isMatrix(channels.up, [dim, neurons]),
    isMatrix(channels.gate ?? channels.up, [dim, neurons]),
  ];
}

function methodRequirements(block: FfnBlock): readonly Requirement[] {
  const { method, dim, neurons } = block;
  switch (method.kind) {
    case "dense":
    case "gate":
      return [];
    case "mlp":
    case "sign":
      return predictorRequirements(method, { dim, neurons });
    case "given": {
      const { active } = method;
      const width = activeWidth(neurons);
      return [requires(active.width === width, `an active set of width ${width}`, active.width)];
    }
    case "threshold-gate":
      return [requires(block.gating === "gated", "a gated block for threshold-gate", block.gating)];
    case "threshold-output": {
      const found = method.downNorms.length;
      return [requires(found === neurons, `${neurons} norms of down rows`, found)];
    }
    default:
      return method satisfies never;
  }
}

export function predictorRequirements(
  predictor: Predictor,
  { dim, neurons }: { readonly dim: number; readonly neurons: number },
): readonly Requirement[] {
  if (predictor.kind === "mlp") {
    const { fc1, fc2, input } = predictor;
    return [isMatrix(fc1, [fc1.rows, input.width]), isMatrix(fc2, [neurons, fc1.rows])];
  }
  const bytes = neurons * Math.ceil(dim / 64) * 8;
  const { signs, margins, centre } = predictor;
  return [
    requires(signs.length === bytes, `${bytes} bytes of signs`, signs.length),
    hasLength("margins", margins, neurons),
    hasLength("centre", centre, dim),
  ];
}

function hasLength(
  what: string,
  values: Int32Array | Float32Array | undefined,
  length: number,
): Requirement {
  const found = values?.length ?? length;
  return requires(found === length, `${length} elements of ${what}`, found);
}
