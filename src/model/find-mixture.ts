/** Finds the weights of one layer's mixture of experts under GGUF's names. */

import { defined } from "../core/defined.ts";
import { tensorType, type WeightType } from "../core/dtype.ts";
import { UnsupportedError } from "../core/errors.ts";
import type { Activation, ExpertStack, Gating, StackedWeight, Weight } from "../ops/op.ts";
import { refuseNonFinite } from "./finite-weights.ts";
import type { MixtureShape, MixtureTraits, MixtureWeights, SharedExperts } from "./mixture.ts";
import type { FfnWeights, Linear, WeightFinder } from "./weights.ts";

/** What the finding depends on. */
export interface MixturePlace {
  readonly finder: WeightFinder;
  readonly layer: number;
  readonly dim: number;
  readonly mixture: MixtureShape;
  readonly gating: Gating;
  readonly activation: Activation;
  /** What the architecture says of shared experts and of vectors that must be there. */
  readonly traits: Pick<MixtureTraits, "shared" | "required">;
}

/** ffn_gate_inp, exp_probs_b, ffn_*_exps with their biases, and ffn_*_shexp. */
export function findMixture(place: MixturePlace): MixtureWeights {
  const { finder, dim, mixture } = place;
  const { experts, used, router } = mixture;
  const bias = optionalVector(place, "exp_probs_b.bias", experts);
  const factors = optionalVector(place, "ffn_down_exps.scale", experts);
  if (factors && finder.has(nameOf(place, "ffn_down_exps.bias"))) {
    throw new UnsupportedError(`a scale beside a bias (${factors.name})`, ["a scale or a bias"]);
  }
  return {
    kind: "mixture",
    logits: findRouter(place, "ffn_gate_inp", experts),
    router: { ...router, ...(bias && { bias }), ...(factors && { factors }) },
    used,
    stack: {
      count: experts,
      dim,
      neurons: mixture.neurons,
      gating: place.gating,
      activation: place.activation,
      ...findGateAndUp(place),
      down: findStack(place, "ffn_down_exps", { rows: dim, columns: mixture.neurons }),
      ...defined({ downBias: findBiases(place, "ffn_down_exps", dim) }),
    },
    ...defined({ shared: findShared(place) }),
  };
}

/** Its products decide: codes of a few bits would choose other experts. */
const routerTypes: readonly WeightType[] = ["F32", "F16", "BF16"];

function findRouter(place: MixturePlace, name: string, rows: number): Linear {
  const { finder, dim } = place;
  const rule = isRequired(place, `${name}.bias`) ? "required" : "optional";
  const linear = finder.linear(nameOf(place, name), { rows, columns: dim }, rule);
  const { type, name: found } = linear.weight;
  if (!routerTypes.includes(type)) finder.fail(found, type, routerTypes.join(", "));
  refuseNonFinite(finder, linear);
  return linear;
}

/** Two tensors, or one with the rows of each expert's gate before those of its up. */
function findGateAndUp(
  place: MixturePlace,
): Pick<ExpertStack, "gate" | "gateBias" | "up" | "upBias"> {
  const { finder, dim, mixture } = place;
  const { neurons } = mixture;
  const rows = { rows: neurons, columns: dim };
  const isGated = place.gating !== "ungated";
  if (isGated && finder.has(nameOf(place, "ffn_gate_up_exps.weight"))) {
    const both = findStack(place, "ffn_gate_up_exps", { rows: 2 * neurons, columns: dim });
    const [gate, up] = halves(both);
    const biases = findBiases(place, "ffn_gate_up_exps", 2 * neurons);
    if (biases === undefined) return { gate, up };
    const [gateBias, upBias] = halves(splitRows(biases));
    return { gate, gateBias, up, upBias };
  }
  return {
    ...(isGated && { gate: findStack(place, "ffn_gate_exps", rows) }),
    ...(isGated && defined({ gateBias: findBiases(place, "ffn_gate_exps", neurons) })),
    up: findStack(place, "ffn_up_exps", rows),
    ...defined({ upBias: findBiases(place, "ffn_up_exps", neurons) }),
  };
}

/** The first and the second half of each expert's rows. */
function halves(both: StackedWeight): readonly [StackedWeight, StackedWeight] {
  const rows = both.rows / 2;
  return [
    { ...both, rows },
    { ...both, rows, first: rows },
  ];
}

/** Rows of twice the length as two rows each. */
function splitRows({ weight, ...stacked }: StackedWeight): StackedWeight {
  if (tensorType(weight.type).blockElements > 1) {
    throw new UnsupportedError(`${weight.name} of type ${weight.type}`, ["F32", "F16", "BF16"]);
  }
  const split = { ...weight, rows: 2 * weight.rows, columns: weight.columns / 2 };
  return { ...stacked, weight: split, stride: 2, rows: 2 };
}

function findStack(
  place: MixturePlace,
  name: string,
  matrix: { readonly rows: number; readonly columns: number },
): StackedWeight {
  const count = place.mixture.experts;
  if (isSplit(place)) return findSplit(place, name.replace(/_exps$/, ""), matrix);
  const weight = place.finder.stack(nameOf(place, `${name}.weight`), { ...matrix, count });
  return { weight, first: 0, stride: matrix.rows, rows: matrix.rows };
}

function findBiases(place: MixturePlace, name: string, columns: number): StackedWeight | undefined {
  const bias = nameOf(place, `${name}.bias`);
  if (!place.finder.has(bias) && !isRequired(place, `${name}.bias`)) return undefined;
  const weight = place.finder.matrix(bias, { rows: place.mixture.experts, columns });
  return { weight, first: 0, stride: 1, rows: 1 };
}

function findShared(place: MixturePlace): SharedExperts | undefined {
  const { traits, finder, dim, gating, activation } = place;
  const { shared } = traits;
  const neurons = place.mixture.sharedNeurons;
  if (shared === undefined || neurons === 0) return undefined;
  const find = (name: string, rows: number, columns: number): Weight =>
    finder.matrix(nameOf(place, `${name}.weight`), { rows, columns });
  const block: FfnWeights = {
    kind: "block",
    gating,
    activation,
    neurons,
    ...(gating !== "ungated" && { gate: find("ffn_gate_shexp", neurons, dim) }),
    up: { weight: find("ffn_up_shexp", neurons, dim) },
    down: { layout: "columns", weight: find("ffn_down_shexp", dim, neurons) },
  };
  if (shared === "plain") return { kind: "plain", block };
  const gate = findRouter(place, "ffn_gate_inp_shexp", 1);
  return { kind: "gated", gate, stack: stackOfOne(block, dim) };
}

function stackOfOne(
  { gating, activation, neurons, gate, up, down }: FfnWeights,
  dim: number,
): Omit<ExpertStack, "layer"> {
  const only = (weight: Weight): StackedWeight => {
    const { rows } = weight;
    return { weight, first: 0, stride: rows, rows };
  };
  return {
    count: 1,
    dim,
    neurons,
    gating,
    activation,
    ...(gate && { gate: only(gate) }),
    up: only(up.weight),
    down: only(down.weight),
  };
}

/** Files of before April 2024 have a tensor for each matrix of each expert; native llama.cpp reads them no longer. */
function isSplit(place: MixturePlace): boolean {
  return place.finder.has(nameOf(place, "ffn_up.0.weight"));
}

function findSplit(
  place: MixturePlace,
  name: string,
  matrix: { readonly rows: number; readonly columns: number },
): StackedWeight {
  const { finder, mixture } = place;
  const weightOf = (expert: number): Weight =>
    finder.matrix(nameOf(place, `${name}.${expert}.weight`), matrix);
  const weight = weightOf(0);
  const rest = Array.from({ length: mixture.experts - 1 }, (_, i) => weightOf(i + 1));
  const other = rest.find(({ type }) => type !== weight.type);
  if (other) finder.fail(other.name, other.type, `${weight.type}, as ${weight.name}`);
  return { weight, first: 0, stride: 0, rows: matrix.rows, apart: [weight, ...rest] };
}

function optionalVector(place: MixturePlace, name: string, length: number): Weight | undefined {
  const full = nameOf(place, name);
  const isThere = place.finder.has(full) || isRequired(place, name);
  return isThere ? place.finder.vector(full, length) : undefined;
}

function isRequired({ traits: { required = [] } }: MixturePlace, name: string): boolean {
  return required.some((each) => each === name);
}

function nameOf({ layer }: MixturePlace, name: string): string {
  return `blk.${layer}.${name}`;
}
