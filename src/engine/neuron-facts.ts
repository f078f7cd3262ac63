/** What is known of a model's neurons before any token: how many, which ones are hot, how often the profile saw them fire. */
import type { Bytes, Tokens } from "../core/units.ts";
import { routeCount } from "../ops/expert-stack.ts";
import { opsOfKind } from "../ops/program-ops.ts";
import { cpuDevice } from "../placement/plan.ts";
import type { MethodName } from "../sparsity/method-names.ts";
import type { OpenedModel } from "./open.ts";

export interface NeuronFacts {
  /** How the active neurons are chosen; "dense": all are computed. */
  readonly method: MethodName;
  /** The activation of the blocks: "relu2", "silu", … */
  readonly activation: string;
  readonly layers: readonly NeuronLayer[];
  /** Tokens that the profile counted; absent where there is no profile. */
  readonly profileTokens?: Tokens;
  /** Weight bytes of the blocks that a dense token would read: of experts, those that a token uses. */
  readonly bytesDensePerToken: Bytes;
  /** Weight bytes of the blocks, of all experts. */
  readonly bytesOfBlocks: Bytes;
  /** Of a plan: the share of the active neurons that it expects on the card, 0 to 1. */
  readonly expectedHotShare?: number;
}

export interface NeuronLayer {
  /** Of the block; of all experts together where the layer has those. */
  readonly neurons: number;
  /** Experts, and how many of them each token uses; absent in a plain layer. */
  readonly experts?: { readonly count: number; readonly used: number };
  /** Ids of the neurons, or experts, on the card, rising; absent without a plan. */
  readonly hot?: Uint32Array;
  /** For how many of the profile's tokens each neuron, or expert, was active. [neurons] or [experts] */
  readonly profile?: Float64Array;
}

export function neuronFacts(opened: OpenedModel): NeuronFacts {
  const { description, session, sparsity: method, plan, profile, expertCounts } = opened;
  const { activation, layers } = description;
  const mixtures = new Map<number, NeuronLayer["experts"]>();
  for (const { routes, stack } of opsOfKind(session.program, "experts")) {
    // A shared expert with a gate is a mixture of one: every token uses it.
    if (stack.count > 1)
      mixtures.set(stack.layer, { count: stack.count, used: routeCount(routes) });
  }
  const profileTokens = (mixtures.size > 0 ? expertCounts : profile)?.tokens ?? 0;
  return {
    method,
    activation: activation.kind,
    layers: layers.map(({ neurons }, at): NeuronLayer => {
      const hot = plan?.layers[at]?.parts
        .filter(({ device }) => device !== cpuDevice)
        .flatMap((part) => [...part.units]);
      const experts = mixtures.get(at);
      const counts = experts ? expertCounts?.layers[at]?.counts : profile?.counts[at];
      return {
        neurons,
        ...(experts && { experts }),
        ...(hot && { hot: Uint32Array.from(hot).sort() }),
        ...(counts && { profile: Float64Array.from(counts) }),
      };
    }),
    ...(profileTokens > 0 && { profileTokens }),
    bytesDensePerToken: layers.reduce((sum, { ffnPerToken }) => sum + ffnPerToken, 0),
    bytesOfBlocks: layers.reduce((sum, { ffn }) => sum + ffn, 0),
    ...(plan && { expectedHotShare: plan.gpuActivationShare }),
  };
}
