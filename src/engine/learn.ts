/**
 * Counting while answers are written (`learn`), and folding the counts into the profile (`hearth plan --refresh`).
 * Counts go to the sidecar when the engine is closed; until they are folded in, nothing reads them.
 */

import type { Tokens } from "../core/units.ts";
import { checkReplaceable } from "../io/replace-file.ts";
import type { Model } from "../model/model.ts";
import type { Session } from "../runtime/session.ts";
import { activeRuleFor, emptyProfile } from "../sparsity/activation-profile.ts";
import {
  addObservation,
  foldLearnt,
  type LayerObservation,
  nothingLearnt,
  obstacleToLearning,
} from "../sparsity/learnt-counts.ts";
import type { MethodName } from "../sparsity/method-names.ts";
import type { Sidecar } from "../sparsity/sidecar/sidecar.ts";
import { updateSidecar } from "../sparsity/sidecar/write.ts";
import { sidecarModelOf } from "./model-sidecar.ts";

export interface LearnReport {
  /** Tokens of answers whose neurons were counted. */
  readonly tokens: Tokens;
  /** Where the counts were added. */
  readonly sidecar: string;
}

interface Observation {
  readonly tokens: Tokens;
  readonly layers: readonly LayerObservation[];
}

export interface Learner {
  /** What was seen since the model was opened. Call it once, before the model is closed. */
  observe(): Promise<Observation>;
  /** Adds what was seen to the sidecar, which need not exist. No file changes when nothing was seen. */
  save(seen: Observation): Promise<LearnReport>;
}

/** Starts the counting, or returns a notice: why nothing can be learnt. */
export async function startLearning(request: {
  readonly model: Model;
  readonly session: Session;
  readonly sparsity: MethodName;
  readonly sidecarPath: string;
}): Promise<Learner | string> {
  const { model, session, sparsity, sidecarPath } = request;
  if (model.hyperparameters.mixture !== undefined) {
    return "nothing is learnt: the neurons of experts are not counted one by one";
  }
  const rule = activeRuleFor(model.activation);
  const obstacle = obstacleToLearning(sparsity, rule);
  if (obstacle !== undefined) return `nothing is learnt: ${obstacle}`;
  if (session.executable.counts === "blocks") {
    return "nothing is learnt: the graphics card does not count single neurons; device cpu and hybrid do";
  }
  checkReplaceable(sidecarPath);
  await session.executable.neuronCounts();
  return {
    observe: () => observe(model, session),
    save: async (seen) => {
      if (seen.tokens > 0) await save(model, sidecarPath, seen);
      return { tokens: seen.tokens, sidecar: sidecarPath };
    },
  };
}

/**
 * Moves the learnt counts into the profile and clears them, so that none is added twice. Returns how many tokens were
 * moved.
 */
export async function foldIntoProfile(model: Model, sidecar: Sidecar | undefined): Promise<Tokens> {
  const learnt = sidecar?.learnt;
  if (sidecar === undefined || learnt === undefined || learnt.tokens === 0) return 0;
  const { neurons } = model.hyperparameters;
  let tokens = 0;
  await updateSidecar(sidecar.path, sidecarModelOf(model), (current) => {
    const now = current?.learnt ?? nothingLearnt(neurons);
    tokens = now.tokens;
    return {
      profile: foldLearnt(profileOf(model, current), now),
      learnt: nothingLearnt(neurons),
    };
  });
  return tokens;
}

async function observe(model: Model, session: Session): Promise<Observation> {
  const watched = await session.executable.neuronCounts();
  const use = session.counters.use("answer");
  const tokens = watched.reduce((most, { rows }) => Math.max(most, rows), 0);
  const layers = model.hyperparameters.neurons.map((neurons, layer): LayerObservation => {
    const found = watched.find((counts) => counts.layer === layer);
    return {
      neurons: found?.neurons ?? new Uint32Array(0),
      active: found?.active ?? new Uint32Array(0),
      activePerToken: (use.activeSharePerLayer[layer] ?? 0) * neurons,
    };
  });
  return { tokens, layers };
}

/** The file may have changed while the model ran: what is there now is added to. */
async function save(model: Model, path: string, seen: Observation): Promise<void> {
  const shape = sidecarModelOf(model);
  await updateSidecar(path, shape, (sidecar) => {
    const before = sidecar?.learnt ?? nothingLearnt(shape.neurons);
    return { learnt: addObservation(before, seen, profileOf(model, sidecar)) };
  });
}

function profileOf(model: Model, sidecar: Sidecar | undefined): NonNullable<Sidecar["profile"]> {
  const { neurons } = model.hyperparameters;
  return sidecar?.profile ?? emptyProfile(activeRuleFor(model.activation), neurons);
}
