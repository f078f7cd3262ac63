/**
 * Mixtures of experts: the numbers and weights of layers in which a router chooses, for each token, a few of many small
 * blocks, beside shared ones that every token uses. Keys and names: llama.cpp, src/llama-arch.cpp.
 */
import { UnsupportedError } from "../core/errors.ts";
import type { ExpertStack, Router } from "../ops/op.ts";
import type { Bounds, Hyperparameters, KeyReader } from "./hyperparameters.ts";
import type { FfnWeights, Linear, Norm } from "./weights.ts";

/** What an architecture says of its mixtures, where no key does. */
export interface MixtureTraits {
  readonly scores: Router["scores"];
  readonly normalise: boolean;
  /** Where the neurons of one expert stand; without that key, a token's experts share those of feed_forward_length. */
  readonly neurons: "feed_forward_length" | "expert_feed_forward_length";
  /** By which its files may say otherwise. */
  readonly keys?: readonly (
    | "expert_gating_func"
    | "expert_weights_norm"
    | "expert_weights_scale"
  )[];
  readonly shared?: "plain" | "gated";
  /** Vectors without which native llama.cpp opens no file of it. Absent: none. */
  readonly required?: readonly RequiredVector[];
  /** First layers may have a plain block. */
  readonly hasDenseLayers?: true;
  /** Its files may have plain blocks in all layers. */
  readonly isOptional?: true;
}

/** Without "blk.N.". */
type RequiredVector =
  | "exp_probs_b.bias"
  | "ffn_gate_inp.bias"
  | "ffn_gate_exps.bias"
  | "ffn_up_exps.bias"
  | "ffn_down_exps.bias";

export interface MixtureShape {
  readonly experts: number;
  /** Experts that a token is routed to. */
  readonly used: number;
  /** Of one expert. */
  readonly neurons: number;
  /** Of the shared experts together; 0: there are none. */
  readonly sharedNeurons: number;
  /** So many first layers have a plain block. */
  readonly denseLayers: number;
  readonly router: Omit<Router, "bias" | "factors">;
}

export interface MixtureWeights {
  readonly kind: "mixture";
  /** One logit for each expert. */
  readonly logits: Linear; // [experts, dim]
  readonly router: Router;
  readonly used: number;
  readonly stack: Omit<ExpertStack, "layer">;
  readonly shared?: SharedExperts;
}

/** Every token uses them. */
export type SharedExperts =
  | { readonly kind: "plain"; readonly block: FfnWeights }
  /** A sigmoid of the gate's product weighs them: a mixture of one. */
  | {
      readonly kind: "gated";
      readonly gate: Linear; // [1, dim]
      readonly stack: Omit<ExpertStack, "layer">;
    }
  /** A block with an input of its own; what it gives and what the experts give are normed before they are added (gemma4). */
  | NormedBlock;

export interface NormedBlock {
  readonly kind: "normed";
  readonly block: FfnWeights;
  readonly norms: {
    /** Of the residual: for the router, and for the experts. */
    readonly router: Norm;
    readonly experts: Norm;
    /** Of results. */
    readonly ofBlock: Norm;
    readonly ofExperts: Norm;
  };
}

const count = (min: number, max: number): Bounds => ({ min, max, integer: true });

/** Several times the largest published models (512 experts, 10 of them used, 18 432 neurons). */
const mostExperts = 4096;
const mostNeurons = 1 << 20;

/** For what knows the neurons of blocks, and no experts. @throws UnsupportedError naming it. */
export function refuseMixtures(
  { hyperparameters: { mixture } }: { readonly hyperparameters: Hyperparameters },
  work: string,
  instead: readonly string[],
): void {
  if (mixture === undefined) return;
  throw new UnsupportedError(`${work} for a mixture of ${mixture.experts} experts`, instead);
}

/** Undefined for a model without experts. @throws FileFormatError for counts that make no sense. */
export function readMixture(
  keys: KeyReader,
  model: { readonly layers: number; readonly traits: MixtureTraits },
): MixtureShape | undefined {
  const { layers, traits } = model;
  const experts = traits.isOptional
    ? (keys.optional("expert_count", count(0, mostExperts)) ?? 0)
    : keys.number("expert_count", count(1, mostExperts));
  if (experts === 0) {
    refuseUse(keys);
    return undefined;
  }
  const used = keys.number("expert_used_count", count(1, experts));
  const neurons = expertNeurons(keys, traits, used);
  const { hasDenseLayers } = traits;
  return {
    experts,
    used,
    neurons,
    sharedNeurons: traits.shared === undefined ? 0 : sharedNeurons(keys, neurons),
    denseLayers:
      (hasDenseLayers && keys.optional("leading_dense_block_count", count(0, layers))) ?? 0,
    router: { ...readWeighing(keys, traits), ...readGroups(keys, { experts, used }) },
  };
}

/** Of a file without experts the other keys say nothing, but for one that has tokens use some. */
function refuseUse(keys: KeyReader): void {
  const key = "expert_used_count";
  const used = keys.optional(key, count(0, mostExperts)) ?? 0;
  if (used === 0) return;
  keys.fail(key, used, `0 where ${keys.name("expert_count")} is 0 or missing`);
}

function expertNeurons(keys: KeyReader, traits: MixtureTraits, used: number): number {
  const inAll = (): number => keys.number("feed_forward_length", count(1, mostNeurons));
  if (traits.neurons === "feed_forward_length") return inAll();
  return keys.optional(traits.neurons, count(0, mostNeurons)) || Math.floor(inAll() / used);
}

function sharedNeurons(keys: KeyReader, neurons: number): number {
  const blocks = keys.optional("expert_shared_count", count(0, mostExperts)) ?? 0;
  const stated = keys.optional("expert_shared_feed_forward_length", count(0, mostNeurons));
  return stated ?? blocks * neurons;
}

function readWeighing(
  keys: KeyReader,
  traits: MixtureTraits,
): Pick<Router, "scores" | "normalise" | "scale"> {
  const { scores, normalise, keys: own = [] } = traits;
  const isSaid = own.includes("expert_weights_norm");
  return {
    scores: (own.includes("expert_gating_func") ? readScores(keys) : undefined) ?? scores,
    normalise: (isSaid ? keys.optionalBoolean("expert_weights_norm") : undefined) ?? normalise,
    scale: own.includes("expert_weights_scale") ? keys.factor("expert_weights_scale") : 1,
  };
}

const scoresByNumber: readonly (Router["scores"] | undefined)[] = [
  undefined,
  "softmax",
  "sigmoid",
  "softmax-of-chosen",
];

/** 0: as the architecture has it. */
function readScores(keys: KeyReader): Router["scores"] | undefined {
  const key = "expert_gating_func";
  const number = keys.optional(key, count(0, 255)) ?? 0;
  if (number < scoresByNumber.length) return scoresByNumber[number];
  throw new UnsupportedError(`experts scored by function ${number} (${keys.name(key)})`, [
    "1 (softmax)",
    "2 (sigmoid)",
    "3 (softmax over the chosen)",
  ]);
}

function readGroups(
  keys: KeyReader,
  { experts, used }: Pick<MixtureShape, "experts" | "used">,
): Pick<Router, "groups"> {
  const key = "expert_group_count";
  const groups = keys.optional(key, count(0, experts)) ?? 0;
  const usedKey = "expert_group_used_count";
  const kept = keys.optional(usedKey, count(0, Math.max(1, groups))) ?? groups;
  if (groups <= 1 || kept === groups) return {};
  const size = experts / groups;
  if (!Number.isInteger(size) || size < 2) {
    keys.fail(key, groups, `groups of two or more experts of ${experts}`);
  }
  if (kept * size < used) {
    keys.fail(usedKey, kept, `groups that have the ${used} experts of a token`);
  }
  return { groups: { count: groups, used: kept } };
}
