/** Which experts of a mixture its routers choose over texts: how often, with what weight, how soon again. Counts go to the sidecar. */
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
import { type HostDevice, openHostBackend } from "../engine/host-backend.ts";
import { sidecarModelOf } from "../engine/model-sidecar.ts";
import { openGguf } from "../gguf/open.ts";
import { checkReplaceable } from "../io/replace-file.ts";
import { type Corpus, openCorpus } from "../learning/corpus.ts";
import { countExperts } from "../learning/count-experts.ts";
import { type Model, openModel } from "../model/model.ts";
import {
  type ExpertCounts,
  type ExpertUse,
  hottestShare,
  medianReuse,
  uniformUse,
} from "../sparsity/expert-profile.ts";
import { findSidecar } from "../sparsity/sidecar/read.ts";
import { sidecarPathOf } from "../sparsity/sidecar/sidecar.ts";
import { updateSidecar } from "../sparsity/sidecar/write.ts";
import { loadTokenizer } from "../text/tokenizer.ts";
import { corpusRules, defaultTokens } from "./corpus-rules.ts";
import { plotExperts } from "./plots/plot-experts.ts";

export interface ExpertProfileOptions {
  /** Text files, or JSONL and CSV with a field text, prompt or content. */
  readonly corpora: readonly string[];
  /** Tokens of each corpus. Default 100 000. */
  readonly tokens?: Tokens;
  /** Tokens read in one window, BOS included. Default: the model's context, at most 512. */
  readonly window?: Tokens;
  /** Default "auto". */
  readonly device?: HostDevice;
  /** Default: the physical cores this process may use. */
  readonly threads?: number;
  /** Where the counts are kept, in place of those of an earlier run. Default: the file beside the model. */
  readonly sidecar?: string;
  readonly onTokens?: (done: Tokens, total: Tokens) => void;
  /** Stops counting; what was counted is the result. */
  readonly signal?: AbortSignal;
}

/** One layer, and beside it the same of a router that chooses all alike. */
export interface ExpertLayer {
  readonly layer: number;
  readonly experts: number;
  readonly used: number;
  /** Share of tokens that use each expert, and the mean weight of its choices (0: none). [experts] */
  readonly frequencies: Float64Array;
  readonly meanWeights: Float64Array;
  /** Share of all choices that the most used tenth of the experts make. */
  readonly hottestTenth: number;
  readonly hottestTenthOfUniform: number;
  /** Tokens between two choices of an expert, the median; absent: none was chosen twice. */
  readonly medianReuse?: Tokens;
  readonly medianReuseOfUniform?: Tokens;
}

export interface ExpertProfile {
  /** Where the counts were saved. */
  readonly sidecar: string;
  readonly tokens: Tokens;
  readonly layers: readonly ExpertLayer[];
  /** False: it was stopped before all tokens were counted. */
  readonly isComplete: boolean;
  readonly notices: readonly string[];
  /** Of each layer, the share of choices that its most used experts make, as SVG. */
  plot(): string;
}

const rules: OptionRules<ExpertProfileOptions> = { ...corpusRules, sidecar: pathRule };

/** @throws OptionError, UnsupportedError for a model without experts, FileFormatError or DeviceError. */
export async function profileExperts(
  path: string,
  options: ExpertProfileOptions,
): Promise<ExpertProfile> {
  checkOptions(options, rules, "profileExperts");
  checkValue(options.corpora, "corpora", textListRule);
  if (options.corpora.length === 0) throw new OptionError("corpus", "none", "a text to read");
  const model = openModel(openGguf(path));
  const sidecar = options.sidecar ?? sidecarPathOf(path);
  checkReplaceable(sidecar);
  const shape = sidecarModelOf(model);
  // One that is not this model's is refused before anything is counted.
  findSidecar(sidecar, shape);
  const corpora = await Promise.all(options.corpora.map(openCorpus));
  const { tokens = defaultTokens, window, onTokens, signal, device = "auto", threads } = options;
  const { backend, notices } = openHostBackend(device, { threads });
  try {
    const tokenizer = await loadTokenizer(model.gguf.metadata, model.vocabulary);
    const total = tokens * corpora.length;
    const counted = await countExperts(
      model,
      { tokenizer, backend },
      {
        corpora,
        tokens,
        ...(window !== undefined && { window }),
        ...(signal && { signal }),
        ...(onTokens && { onTokens: (done: Tokens) => onTokens(done, total) }),
      },
    );
    await updateSidecar(sidecar, shape, { experts: countsOf(model, counted, corpora) });
    return {
      sidecar,
      tokens: counted[0]?.tokens ?? 0,
      layers: counted.map(summarise),
      isComplete: signal?.aborted !== true,
      notices: [...model.notices, ...tokenizer.notices, ...notices],
      plot: () => plotExperts(counted, { model: basename(path) }),
    };
  } finally {
    backend[Symbol.dispose]();
  }
}

/** What the sidecar keeps. */
function countsOf(
  model: Model,
  counted: readonly ExpertUse[],
  corpora: readonly Corpus[],
): ExpertCounts {
  const of = new Map(counted.map((use) => [use.layer, use]));
  return {
    tokens: counted[0]?.tokens ?? 0,
    corpora: corpora.map(({ name, hash }) => ({ name, hash })),
    layers: model.layers.map((_, layer) => of.get(layer)),
  };
}

function summarise(use: ExpertUse): ExpertLayer {
  const { layer, used, tokens, counts, weights } = use;
  const uniform = uniformUse(use);
  const [own, alike] = [medianReuse(use), medianReuse(uniform)];
  return {
    layer,
    experts: counts.length,
    used,
    frequencies: counts.map((count) => (tokens === 0 ? 0 : count / tokens)),
    meanWeights: weights.map((sum, expert) => (counts[expert] ? sum / counts[expert] : 0)),
    hottestTenth: hottestShare(counts, 0.1),
    hottestTenthOfUniform: hottestShare(uniform.counts, 0.1),
    ...(own !== undefined && { medianReuse: own }),
    ...(alike !== undefined && { medianReuseOfUniform: alike }),
  };
}
