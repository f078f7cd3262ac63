/**
 * Which sparsity method a model runs with: what was asked for, if it can apply; with "auto", the best of what is known
 * about the model, and why. Pure: it looks at facts and touches nothing.
 */

import { UnsupportedError } from "../core/errors.ts";
import type { Activation, Gating } from "../ops/op.ts";
import { isReluFamily } from "./activation-profile.ts";
import { type MethodName, methodNames } from "./method-names.ts";
import type { Sidecar } from "./sidecar/sidecar.ts";

/** What `--sparsity` accepts. */
export type Sparsity = "auto" | MethodName;

export const sparsities: readonly Sparsity[] = ["auto", ...methodNames];

/** What a choice rests on. */
export interface MethodFacts {
  readonly gating: Gating;
  readonly activation: Activation;
  /** The model's file has a predictor for every layer. */
  readonly hasPredictors: boolean;
  /** The file promises PowerInfer's own method by its magic. */
  readonly isPowerInfer: boolean;
  readonly sidecar: Sidecar | undefined;
  /** This device reads whole matrices, so masking inputs saves nothing on it. */
  readonly ignoresMasks: boolean;
}

export interface MethodChosen {
  readonly method: MethodName;
  /** One sentence for the user. */
  readonly reason: string;
}

/** @throws UnsupportedError for a method that cannot apply; it says why not, and which can. */
export function chooseMethod(wanted: Sparsity, facts: MethodFacts): MethodChosen {
  if (wanted === "auto") return chooseBest(facts);
  const obstacle = obstacleTo(wanted, facts);
  if (obstacle === undefined) return { method: wanted, reason: `as asked for` };
  const possible = methodNames.filter((method) => obstacleTo(method, facts) === undefined);
  throw new UnsupportedError(`sparsity ${wanted} for this model`, possible, obstacle);
}

function chooseBest(facts: MethodFacts): MethodChosen {
  const { sidecar, activation, gating, isPowerInfer, hasPredictors } = facts;
  const recommended = sidecar?.recommendation;
  if (recommended?.method === "threshold" && facts.ignoresMasks && masksInputs(sidecar)) {
    const reason = "what hearth prepare chose masks inputs, which spares no reading on this device";
    return { method: "dense", reason };
  }
  if (recommended !== undefined && obstacleTo(recommended.method, facts) === undefined) {
    const setsAside = isPowerInfer && hasPredictors && recommended.method !== "mlp";
    const others = setsAside ? "; the predictors in the file are set aside for it" : "";
    return { method: recommended.method, reason: `${recommended.reason}${others}` };
  }
  if (isPowerInfer && hasPredictors) {
    return { method: "mlp", reason: "the file brings PowerInfer's predictors" };
  }
  if (isReluFamily(activation)) {
    const first = gating === "ungated" ? "up" : "the gate";
    const reason = `${activation.kind} is exactly zero for resting neurons, so ${first} alone says which down rows count`;
    return { method: "gate", reason };
  }
  const reason = `${activation.kind} never rests; hearth prepare finds out what can be skipped`;
  return { method: "dense", reason };
}

/** Why a method cannot apply, and what would help; undefined when it can. */
function obstacleTo(method: MethodName, facts: MethodFacts): string | undefined {
  const { activation, gating, sidecar } = facts;
  const relu = isReluFamily(activation);
  switch (method) {
    case "dense":
      return undefined;
    case "gate":
      return relu ? undefined : `It needs exact zeros, and ${activation.kind} has none`;
    case "mlp":
      if (facts.hasPredictors || hasAllPredictors(sidecar)) return undefined;
      return "It needs a predictor for every layer; hearth prepare trains them";
    case "sign":
      if (!relu) return `It foretells signs, and ${activation.kind} is not zero for negative ones`;
      // No default margin is safe: the scores' spread depends on the weights, and too high a margin drops neurons unseen.
      return sidecar?.sign ? undefined : "It needs calibrated margins; hearth prepare finds them";
    case "threshold":
      return thresholdObstacle(sidecar, gating);
    default:
      return method satisfies never;
  }
}

function masksInputs(sidecar: Sidecar | undefined): boolean {
  const set = sidecar?.thresholds;
  return set?.tables[set.chosen]?.score === "input";
}

function thresholdObstacle(sidecar: Sidecar | undefined, gating: Gating): string | undefined {
  const set = sidecar?.thresholds;
  if (set === undefined) return "It needs calibrated thresholds; hearth prepare finds them";
  if (set.tables[set.chosen]?.score !== "gate" || gating === "gated") return undefined;
  return "Its thresholds are of the gate score, and this model's h is not act(gate)·up";
}

export function hasAllPredictors(sidecar: Sidecar | undefined): boolean {
  return sidecar?.predictors.every((predictor) => predictor !== undefined) ?? false;
}
