/**
 * `hearth prepare` and `hearth train-predictor`: from a model to a sidecar with which it decodes in proportion to the
 * neurons that fire, and to a report of what that costs.
 */
import { basename } from "node:path";
import type { Backend } from "../../backends/backend.ts";
import { threadsRule } from "../../backends/machine-rules.ts";
import {
  checkOptions,
  choiceRule,
  countRule,
  functionRule,
  isNumber,
  numberRule,
  type OptionRule,
  type OptionRules,
  pathRule,
  shareRule,
  signalRule,
  textListRule,
} from "../../core/check-options.ts";
import { counted } from "../../core/counted.ts";
import { LimitError, UnsupportedError } from "../../core/errors.ts";
import { multiplyPlainly } from "../../core/matrix-product.ts";
import { type Bytes, GiB, type Tokens } from "../../core/units.ts";
import { type HostDevice, hostDevices, openHostBackend } from "../../engine/host-backend.ts";
import { sidecarModelOf } from "../../engine/model-sidecar.ts";
import { openGguf } from "../../gguf/open.ts";
import { checkReplaceable } from "../../io/replace-file.ts";
import { CheckedModel, scoredIn } from "../../learning/check/checked-model.ts";
import { fittingWindow } from "../../learning/check/fitting-window.ts";
import { sampleCorpus } from "../../learning/check/sample.ts";
import { type HeldOutText, heldOutWindows } from "../../learning/check/windows.ts";
import { type Corpus, openCorpus } from "../../learning/corpus.ts";
import {
  defaultTarget,
  type SelectionQuality,
} from "../../learning/predictor/predictor-quality.ts";
import type { TrainedLayer } from "../../learning/train-layers.ts";
import { refuseMixtures } from "../../model/mixture.ts";
import { type Model, openModel } from "../../model/model.ts";
import { isReluFamily } from "../../sparsity/activation-profile.ts";
import {
  type ComparedMatrices,
  type ComparisonTerms,
  chooseBest,
  type MethodReport,
} from "../../sparsity/choose-best.ts";
import { openSidecar } from "../../sparsity/sidecar/read.ts";
import {
  type Recommendation,
  sidecarPathOf,
  type ThresholdTable,
} from "../../sparsity/sidecar/sidecar.ts";
import { updateSidecar } from "../../sparsity/sidecar/write.ts";
import { loadTokenizer, type Tokenizer } from "../../text/tokenizer.ts";
import { plotQuality } from "../plots/plot-quality.ts";
import { checkMethods, comparedMatrices } from "./check.ts";
import { keepCopies, type LearnRequest, learnFacts, learnMethods } from "./learn.ts";

export interface TrainPredictorOptions {
  /** Text files, or JSONL and CSV with a field text, prompt or content. Default: text sampled from the model itself. */
  readonly corpora?: readonly string[];
  /** Tokens of each corpus. Default 60 000; of the model's own text 20 000. */
  readonly tokens?: Tokens;
  /** Tokens read in one window, BOS included. Default: the model's context, at most 512. */
  readonly window?: Tokens;
  /** Default: model.gguf → model.sparsity.gguf. */
  readonly sidecar?: string;
  readonly device?: HostDevice;
  readonly threads?: number;
  /** Default 1. */
  readonly seed?: number;
  /** Share of active neurons that a predictor must find. Default 0.95. */
  readonly recall?: number;
  /** Most neurons a predictor may select, in units of the active ones. Default 2.5. */
  readonly maxRatio?: number;
  /** Most passes over the training rows. Default 10. */
  readonly epochs?: number;
  /** For the rows that are learnt from. Default 2 GiB. */
  readonly memory?: Bytes;
  /** What happens to layers that have a predictor already. Default "keep": an interrupted run goes on. */
  readonly finished?: "keep" | "again";
  /** `stage` is for people; done of total in units of their own. */
  readonly onProgress?: (stage: string, done: number, total: number) => void;
  readonly onLayer?: (trained: TrainedLayer) => void;
  readonly signal?: AbortSignal;
}

export interface PrepareModelOptions extends TrainPredictorOptions {
  /** Perplexity that `--sparsity auto` may cost, as a share of the dense model's. Default 0.01. */
  readonly maxPerplexityLoss?: number;
  /** Most tokens of the check, which each method repeats. Default 8192. */
  readonly checkTokens?: Tokens;
}

export interface TrainingReport {
  readonly sidecar: string;
  readonly corpora: readonly string[];
  /** Layers that were trained now; those of an earlier run are in the sidecar. */
  readonly trained: readonly TrainedLayer[];
  readonly notices: readonly string[];
}

export interface PrepareReport extends TrainingReport {
  /** Held-out quality of the sign predictor by layer; empty where it does not apply. */
  readonly signs: readonly SelectionQuality[];
  /** The dense model first. */
  readonly methods: readonly MethodReport[];
  /** Tokens that the dense model decoded for its perplexity, and each method that might have been chosen. */
  readonly decodedTokens: Tokens;
  /** Names of the corpora that the check's text is from. Error bars are for text of their kind alone. */
  readonly checkedOn: readonly string[];
  readonly maxPerplexityLoss: number;
  /** Whose bytes a token's are, of every method. */
  readonly comparedMatrices: ComparedMatrices;
  readonly recommendation: Recommendation;
  /** The curves sparsity → perplexity and sparsity → bytes as SVG. */
  plot(): string;
}

const defaultTokens: Tokens = 60_000;
/** Sampling decodes token by token, which is slower than reading: fewer tokens keep it bearable. */
const defaultSampledTokens: Tokens = 20_000;
/** Shares of windows that training does not see: half of them place cuts, the rest are measured. */
const heldOut = 0.15;

/** @throws OptionError, FileFormatError, LimitError or DeviceError, each saying what to do. */
export async function trainPredictors(
  path: string,
  options: TrainPredictorOptions = {},
): Promise<TrainingReport> {
  checkOptions(options, trainingRules, "train-predictor");
  using preparation = await openPreparation(path, options, refuseRestless);
  const { request, notices } = preparation;
  const { trained } = await learnMethods(request, "predictors");
  const { sidecarPath: sidecar, corpora } = request;
  return { sidecar, corpora: corpora.map(({ name }) => name), trained, notices };
}

/** @throws as trainPredictors. */
export async function prepareModel(
  path: string,
  options: PrepareModelOptions = {},
): Promise<PrepareReport> {
  checkOptions(options, preparationRules, "prepare");
  using preparation = await openPreparation(path, options);
  const { request, notices } = preparation;
  const { model, sidecarPath, corpora, onProgress, signal } = request;
  await learnFacts(request);
  const { trained, signs, tables } = await learnMethods(request, "all");
  const text = await checkText(request, options.checkTokens ?? 8192);
  await keepCopies(request, tables);
  const sidecar = openSidecar(sidecarPath, sidecarModelOf(model));
  const maxPerplexityLoss = options.maxPerplexityLoss ?? 0.01;
  const methods = await checkMethods({
    model,
    backend: request.backend,
    sidecar,
    tables,
    text,
    maxPerplexityLoss,
    ...(onProgress && { onProgress }),
    ...(signal && { signal }),
  });
  const comparison = {
    maxPerplexityLoss,
    matrices: comparedMatrices(tables),
    checkedOn: text.sources,
  };
  const recommendation = await recommend(request, methods, { comparison, tables });
  return {
    sidecar: sidecarPath,
    corpora: corpora.map(({ name }) => name),
    trained,
    signs,
    methods,
    decodedTokens: text.windows.reduce((sum, window) => sum + scoredIn(window), 0),
    checkedOn: text.sources,
    maxPerplexityLoss,
    comparedMatrices: comparison.matrices,
    recommendation,
    notices,
    plot: () => plotQuality(methods, { model: basename(path), ...comparison }),
  };
}

/** Writes what `--sparsity auto` takes, and which thresholds `--sparsity threshold` takes. */
async function recommend(
  { model, sidecarPath }: LearnRequest,
  methods: readonly MethodReport[],
  {
    comparison,
    tables,
  }: { readonly comparison: ComparisonTerms; readonly tables: readonly ThresholdTable[] },
): Promise<Recommendation> {
  const { best, reason } = chooseBest(methods, comparison);
  const measured = methods.map((report) => ({
    method: report.method,
    variant: report.variant,
    activeShare: report.activeShare,
    bytesPerToken: report.bytesPerToken,
    perplexity: report.perplexity,
    agreement: report.agreement,
    tokensPerSecond: report.tokensPerSecond,
  }));
  const recommendation: Recommendation = { method: best.method, reason, measured };
  const chosen = chosenTable(methods, { best, comparison, tables });
  await updateSidecar(sidecarPath, sidecarModelOf(model), {
    recommendation,
    ...(tables.length > 0 && { thresholds: { tables, chosen } }),
    // Only these thresholds read the copies, which are as large as the matrices.
    ...(tables[chosen]?.score !== "input" && { channels: "none" }),
  });
  return recommendation;
}

/** The recommended one, else the best among thresholds alone, else the gentlest. */
function chosenTable(
  methods: readonly MethodReport[],
  from: {
    readonly best: MethodReport;
    readonly comparison: ComparisonTerms;
    readonly tables: readonly ThresholdTable[];
  },
): number {
  const { best, comparison, tables } = from;
  const thresholds = methods.filter(({ method }) => method === "dense" || method === "threshold");
  const alone = best.table ?? chooseBest(thresholds, comparison).best.table;
  const gentlest = methods
    .filter(({ table }) => table !== undefined)
    .reduce<MethodReport | undefined>(
      (least, report) => (least && least.perplexityLoss <= report.perplexityLoss ? least : report),
      undefined,
    );
  const table = alone ?? gentlest?.table;
  return Math.max(0, table === undefined ? 0 : tables.indexOf(table));
}

async function checkText(request: LearnRequest, most: Tokens): Promise<HeldOutText> {
  const { tokenizer, corpora, tokens, window, seed } = request;
  const text = await heldOutWindows(tokenizer, {
    corpora,
    tokens,
    window,
    heldOut,
    seed,
    most,
  });
  if (text.windows.length > 0) return text;
  throw new LimitError(
    `the corpus is too short to check with: one window in seven is held out, and of ${counted(tokens, "token")} in windows of ${window} none was; give more text, more tokens or a smaller window`,
  );
}

interface Preparation extends Disposable {
  readonly request: LearnRequest;
  readonly notices: readonly string[];
}

/** docs/decisions/0008-predictors-without-zeros.md: such predictors read more bytes than they save. */
function refuseRestless({ activation }: Model): void {
  if (isReluFamily(activation)) return;
  throw new UnsupportedError(
    "training predictors for this model",
    ["dense", "threshold"],
    `${activation.kind} is never zero, so no neuron rests that a predictor could name; hearth prepare calibrates thresholds for it`,
  );
}

async function openPreparation(
  path: string,
  options: TrainPredictorOptions,
  refuse?: (model: Model) => void,
): Promise<Preparation> {
  const model = openModel(openGguf(path));
  refuseMixtures(model, "predictors and thresholds", ["models with plain blocks"]);
  refuse?.(model);
  const { sidecar: sidecarPath = sidecarPathOf(path) } = options;
  checkReplaceable(sidecarPath);
  const tokenizer = await loadTokenizer(model.gguf.metadata, model.vocabulary);
  const { backend, notices } = openHostBackend(options.device ?? "auto", {
    threads: options.threads,
  });
  try {
    const wanted = Math.min(options.window ?? 512, model.hyperparameters.contextLength);
    const text = await corporaOf({ model, tokenizer, backend, window: wanted }, options);
    const seed = options.seed ?? 1;
    const window = await fittingWindow(tokenizer, { ...text, window: wanted, heldOut, seed });
    const { recall = 0.95, maxRatio = 2.5, memory = 2 * GiB, finished = "keep" } = options;
    const surplus = defaultTarget.recall - 0.95;
    const request: LearnRequest = {
      model,
      tokenizer,
      backend,
      multiply: backend.multiply,
      sidecarPath,
      ...text,
      window,
      heldOut,
      seed,
      target: { ...defaultTarget, recall: Math.min(1, recall + surplus) },
      maxRatio,
      memory,
      finished,
      ...(options.epochs !== undefined && { epochs: options.epochs }),
      ...(options.onProgress && { onProgress: options.onProgress }),
      ...(options.onLayer && { onLayer: options.onLayer }),
      ...(options.signal && { signal: options.signal }),
    };
    const own = options.corpora?.length
      ? []
      : [
          `no corpus was given: learning from ${counted(text.tokens, "token")} sampled from the model itself`,
        ];
    const short =
      window === wanted
        ? []
        : [
            `windows are of ${counted(window, "token")}, not of ${wanted}: so short a text would leave none to check with`,
          ];
    const slow =
      request.multiply === multiplyPlainly
        ? ["training runs on plain TypeScript, hundreds of times slower than on the native addon"]
        : [];
    return {
      request,
      notices: [...model.notices, ...tokenizer.notices, ...notices, ...slow, ...short, ...own],
      [Symbol.dispose]: () => backend[Symbol.dispose](),
    };
  } catch (error) {
    backend[Symbol.dispose]();
    throw error;
  }
}

/** The files that were named, or text that the model writes. */
async function corporaOf(
  source: {
    readonly model: Model;
    readonly tokenizer: Tokenizer;
    readonly backend: Backend;
    readonly window: Tokens;
  },
  options: TrainPredictorOptions,
): Promise<{ readonly corpora: readonly Corpus[]; readonly tokens: Tokens }> {
  const { corpora = [], onProgress, signal, seed = 1 } = options;
  if (corpora.length > 0) {
    const opened = await Promise.all(corpora.map(openCorpus));
    return { corpora: opened, tokens: options.tokens ?? defaultTokens };
  }
  const { model, tokenizer, backend, window } = source;
  const tokens = options.tokens ?? defaultSampledTokens;
  using dense = await CheckedModel.open(model, backend, {
    contextLength: window,
    methodFor: () => ({ kind: "dense" }),
  });
  const corpus = await sampleCorpus(dense, tokenizer, {
    tokens,
    window,
    seed,
    onTokens: (done, total) => onProgress?.("sampling text", done, total),
    ...(signal && { signal }),
  });
  return { corpora: [corpus], tokens };
}

const trainingRules: OptionRules<TrainPredictorOptions> = {
  corpora: textListRule,
  tokens: countRule(1),
  window: countRule(1),
  sidecar: pathRule,
  device: choiceRule(hostDevices),
  threads: threadsRule,
  seed: numberRule,
  recall: {
    expected: "a number above 0, at most 1",
    accepts: (value) => shareRule.accepts(value) && value !== 0,
  },
  maxRatio: minRule(1),
  epochs: countRule(1),
  memory: countRule(1),
  finished: choiceRule(["keep", "again"]),
  onProgress: functionRule,
  onLayer: functionRule,
  signal: signalRule,
};

const preparationRules: OptionRules<PrepareModelOptions> = {
  ...trainingRules,
  maxPerplexityLoss: minRule(0),
  checkTokens: countRule(1),
};

function minRule(least: number): OptionRule {
  return {
    expected: `a number of at least ${least}`,
    accepts: (value) => numberRule.accepts(value) && isNumber(value) && value >= least,
  };
}
