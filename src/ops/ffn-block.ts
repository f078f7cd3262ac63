/** What a feed-forward block is made of, and what must hold of it: its weights, its subset, what its method needs. */
import type { FfnBlock, Slot, Weight } from "./op.ts";
import { isMatrix, isVector, type Requirement, requires } from "./requirement.ts";

/** What the block's predictor reads; nothing for other methods. */
export function predictorInputs({ method }: FfnBlock): readonly Slot[] {
  return method.kind === "mlp" ? [method.input] : [];
}

/** Whether one device must compute all neurons: a norm before down sums over them. */
export function isIndivisible({ hiddenNorm }: FfnBlock): boolean {
  return hiddenNorm !== undefined;
}

export function blockWithSlots(block: FfnBlock, slot: (slot: Slot) => Slot): FfnBlock {
  const { method } = block;
  if (method.kind !== "mlp") return block;
  return { ...block, method: { ...method, input: slot(method.input) } };
}

/** All weights but the channel-major copies. */
export function blockWeights(block: FfnBlock): readonly Weight[] {
  const { gate, gateBias, up, upBias, down, downBias, hiddenNorm, method } = block;
  const predictor = method.kind === "mlp" ? [method.fc1, method.fc2] : [];
  const vectors = [gateBias, upBias, downBias, hiddenNorm?.weight];
  const weights = [gate, up, down.weight, ...vectors, ...predictor];
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
    subsetRequirement(block),
    ...channelRequirements(block),
    ...methodRequirements(block),
  ];
}

function subsetRequirement({ subset, neurons }: FfnBlock): Requirement {
  if (subset === undefined) return requires(true, "nothing", "nothing");
  const isRising = subset.every((id, i) => id < neurons && (i === 0 || id > (subset[i - 1] ?? id)));
  return requires(
    isRising,
    `rising neuron ids below ${neurons}`,
    `${subset.slice(0, 8).join(", ")}…`,
  );
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
      return [
        isMatrix(method.fc1, [method.fc1.rows, method.input.width]),
        isMatrix(method.fc2, [neurons, method.fc1.rows]),
      ];
    case "sign": {
      const bytes = neurons * Math.ceil(dim / 64) * 8;
      const { signs, margins, centre } = method;
      return [
        requires(signs.length === bytes, `${bytes} bytes of signs`, signs.length),
        hasLength("margins", margins, neurons),
        hasLength("centre", centre, dim),
      ];
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

function hasLength(
  what: string,
  values: Int32Array | Float32Array | undefined,
  length: number,
): Requirement {
  const found = values?.length ?? length;
  return requires(found === length, `${length} elements of ${what}`, found);
}
