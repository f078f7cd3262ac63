/** How often each neuron of a model fires: counts over corpora, kept in the sidecar, continued by the next run. */

import { basename } from "node:path";
import {
  checkOptions,
  checkValue,
  type OptionRules,
  pathRule,
  textListRule,
} from "../core/check-options.ts";
import { OptionError } from "../core/errors.ts";
import type { Tokens } from "../core/units.ts";
import { downNormsOf } from "../derived-weights/derived-weights.ts";
import { type HostDevice, openHostBackend } from "../engine/host-backend.ts";
import { sidecarModelOf } from "../engine/model-sidecar.ts";
import { openGguf } from "../gguf/open.ts";
import { checkReplaceable } from "../io/replace-file.ts";
import { type Corpus, openCorpus } from "../learning/corpus.ts";
import { Gatherer } from "../learning/gather.ts";
import { extendProfile, tokensCounted } from "../learning/profile.ts";
import { refuseMixtures } from "../model/mixture.ts";
import { type Model, openModel } from "../model/model.ts";
import { type ActivationCurve, activationCurves } from "../sparsity/activation-curve.ts";
import {
  type ActivationProfile,
  activeRuleFor,
  activeShare,
  activeShares,
  describeRule,
  emptyProfile,
} from "../sparsity/activation-profile.ts";
import { mergeProfiles } from "../sparsity/merge-profiles.ts";
import { findSidecar } from "../sparsity/sidecar/read.ts";
import { type Sidecar, sidecarPathOf } from "../sparsity/sidecar/sidecar.ts";
import { updateSidecar } from "../sparsity/sidecar/write.ts";
import { loadTokenizer } from "../text/tokenizer.ts";
import { corpusRules, defaultTokens } from "./corpus-rules.ts";
import { plotProfile } from "./plots/plot-profile.ts";

export interface ProfileOptions {
  /** Text files, or JSONL and CSV with a field text, prompt or content. None: what the sidecar has already. */
  readonly corpora: readonly string[];
  /** Tokens of each corpus. Default 100 000: a neuron that fires for 1 token in 1000 is known to a tenth. */
  readonly tokens?: Tokens;
  /** Tokens read in one window, BOS included. Default: the model's context, at most 512. */
  readonly window?: Tokens;
  /** Default "auto". */
  readonly device?: HostDevice;
  /** Default: the physical cores this process may use. */
  readonly threads?: number;
  /** Where the counts are kept. Default: the file beside the model. */
  readonly sidecar?: string;
  readonly onTokens?: (done: Tokens, total: Tokens) => void;
  /** Stops counting; what was counted is saved, and the next call goes on from there. */
  readonly signal?: AbortSignal;
}

export interface ProfileSummary {
  /** Where it was saved. */
  readonly sidecar: string;
  readonly tokens: Tokens;
  readonly corpora: ActivationProfile["corpora"];
  /** When a neuron counts as active. */
  readonly rule: string;
  readonly activeShare: number;
  readonly activeSharePerLayer: readonly number[];
  /** Cumulative activations of each layer, then of the model. */
  readonly curves: readonly ActivationCurve[];
  /** False: it was stopped before all tokens were counted. */
  readonly isComplete: boolean;
  readonly notices: readonly string[];
  /** The curves as SVG. */
  plot(): string;
}

/** Between two saves; and never more than a twentieth of the time goes into saving, however large the sidecar. */
const saveInterval = 15_000;
const timeBetweenSaves = 20;

/** @throws OptionError, FileFormatError or DeviceError, each saying what to do. */
export async function profileModel(path: string, options: ProfileOptions): Promise<ProfileSummary> {
  checkOptions(options, profileRules, "profile");
  checkValue(options.corpora, "corpora", textListRule);
  const model = openModel(openGguf(path));
  refuseMixtures(model, "a profile", ["profiles of models with plain blocks"]);
  const sidecarPath = options.sidecar ?? sidecarPathOf(path);
  const sidecar = findSidecar(sidecarPath, sidecarModelOf(model));
  const before = sidecar?.profile ?? emptyProfile(activeRuleFor(model.activation), neurons(model));
  if (options.corpora.length > 0) checkReplaceable(sidecarPath);
  const corpora = await Promise.all(options.corpora.map(openCorpus));
  checkCorpora(corpora, before);
  const { tokens = defaultTokens } = options;
  const counted =
    corpora.length === 0
      ? { profile: before, notices: [] }
      : await count(model, before, { options, tokens, corpora, sidecar, sidecarPath });
  return summarise(path, { ...counted, sidecarPath, corpora, tokens });
}

const profileRules: OptionRules<ProfileOptions> = { ...corpusRules, sidecar: pathRule };

function neurons(model: Model): readonly number[] {
  return model.hyperparameters.neurons;
}

function checkCorpora(corpora: readonly Corpus[], profile: ActivationProfile): void {
  if (corpora.length === 0 && profile.tokens === 0) {
    throw new OptionError(
      "corpus",
      "none",
      "a text to profile the model with: nothing was counted",
    );
  }
  const twice = corpora.find((corpus, i) =>
    corpora.slice(0, i).some(({ hash }) => hash === corpus.hash),
  );
  if (twice !== undefined) throw new OptionError("corpus", `${twice.name} twice`, "each text once");
}

interface CountRequest {
  readonly options: ProfileOptions;
  readonly tokens: Tokens;
  readonly corpora: readonly Corpus[];
  readonly sidecar: Sidecar | undefined;
  readonly sidecarPath: string;
}

async function count(
  model: Model,
  before: ActivationProfile,
  request: CountRequest,
): Promise<{ readonly profile: ActivationProfile; readonly notices: readonly string[] }> {
  const { options, tokens, corpora, sidecar, sidecarPath } = request;
  const { window, onTokens, signal, device = "auto", threads } = options;
  const { backend, notices } = openHostBackend(device, { threads });
  try {
    const tokenizer = await loadTokenizer(model.gguf.metadata, model.vocabulary);
    const windowOption = window === undefined ? {} : { window };
    using gatherer = await Gatherer.open(model, tokenizer, backend, windowOption);
    const downNorms = before.rule.kind === "top" ? await downNormsOf(model, sidecar) : undefined;
    // What of this count is in the file, and what is in it altogether. Counts go on growing in place: kept is a copy.
    let kept = before;
    let written = before;
    const save = (profile: ActivationProfile): Promise<void> =>
      updateSidecar(sidecarPath, sidecarModelOf(model), (current) => {
        const merged = mergeProfiles(profile, kept, current?.profile);
        if (merged.isIncluded) kept = structuredClone(profile);
        written = merged.profile;
        return { profile: merged.profile, ...(downNorms && { downNorms }) };
      });
    const saveSometimes = occasionally(save);
    const total = tokens * corpora.length;
    const profile = await extendProfile(gatherer, before, {
      corpora,
      tokens,
      ...(downNorms && { downNorms }),
      ...(signal && { signal }),
      onBatch: (soFar, done) => {
        onTokens?.(done, total);
        return saveSometimes(soFar);
      },
    });
    await save(profile);
    return { profile: written, notices: [...model.notices, ...tokenizer.notices, ...notices] };
  } finally {
    backend[Symbol.dispose]();
  }
}

/** Saves now and then, never so often that saving would hold up counting. */
function occasionally(
  save: (profile: ActivationProfile) => Promise<void>,
): (profile: ActivationProfile) => Promise<void> {
  let next = performance.now() + saveInterval;
  return async (profile) => {
    const startedAt = performance.now();
    if (startedAt < next) return;
    await save(profile);
    const endedAt = performance.now();
    next = endedAt + Math.max(saveInterval, timeBetweenSaves * (endedAt - startedAt));
  };
}

function summarise(
  model: string,
  made: {
    readonly profile: ActivationProfile;
    readonly notices: readonly string[];
    readonly sidecarPath: string;
    readonly corpora: readonly Corpus[];
    readonly tokens: Tokens;
  },
): ProfileSummary {
  const { profile, notices, sidecarPath, corpora, tokens } = made;
  const curves = activationCurves(profile);
  const rule = describeRule(profile.rule);
  return {
    sidecar: sidecarPath,
    tokens: profile.tokens,
    corpora: profile.corpora,
    rule,
    activeShare: activeShare(profile),
    activeSharePerLayer: activeShares(profile),
    curves,
    isComplete: corpora.every((corpus) => isCounted(profile, corpus, tokens)),
    notices,
    plot: () => plotProfile(curves, { model: basename(model), tokens: profile.tokens, rule }),
  };
}

function isCounted(profile: ActivationProfile, corpus: Corpus, tokens: Tokens): boolean {
  const entry = profile.corpora.find(({ hash }) => hash === corpus.hash);
  return entry !== undefined && (entry.isComplete || tokensCounted(profile, [corpus]) >= tokens);
}
