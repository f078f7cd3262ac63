/** The options of make-model that only some architectures have: a number each, or "off" where a model can be without. */
import { OptionError } from "../../src/core/errors.ts";

export type FeatureName =
  | "tied"
  | "biases"
  | "head-dim"
  | "head-dim-swa"
  | "head-norms"
  | "window"
  | "window-pattern"
  | "soft-cap"
  | "final-soft-cap"
  | "attention-scale"
  | "embedding-scale"
  | "residual-scale"
  | "logit-scale"
  | "temperature-scale"
  | "rope-base"
  | "rope-base-swa"
  | "rope-dims"
  | "rope-factor"
  | "rope-attention-factor"
  | "yarn"
  | "original-context"
  | "yarn-beta-fast"
  | "yarn-beta-slow"
  | "yarn-log-multiplier"
  | "full-attention-interval"
  | "shared-kv-layers"
  | "kv-heads-full"
  | "shared-keys"
  | "wide-ffn"
  | "per-layer-embedding"
  | "state-size"
  | "state-groups"
  | "state-heads"
  | "convolution"
  | "weight-scales"
  | "experts"
  | "experts-used"
  | "expert-ffn"
  | "shared-experts"
  | "dense-layers"
  | "router-skew"
  | "gating"
  | "selection-bias"
  | "expert-weights-norm"
  | "expert-weights-scale"
  | "expert-groups"
  | "expert-groups-used"
  | "fused-experts"
  | "nextn-layers";

interface Feature {
  readonly help: string;
  readonly min: number;
  readonly max: number;
  readonly integer?: true;
}

const whole = (min: number, max: number, help: string): Feature => ({
  help,
  min,
  max,
  integer: true,
});
const real = (min: number, max: number, help: string): Feature => ({ help, min, max });
const flag = (help: string): Feature => whole(1, 1, help);

const table: Readonly<Record<FeatureName, Feature>> = {
  tied: flag("1: no output.weight, the embedding is the output matrix too"),
  biases: flag("1: a bias at every matrix of a layer"),
  "head-dim": whole(8, 4096, "length of a key and a value, if it is not dim / heads"),
  "head-dim-swa": whole(8, 4096, "length of a key and a value in layers with a window"),
  "head-norms": flag("1: each head's query and key are normed"),
  window: whole(1, 2 ** 32 - 1, "tokens that see each other in layers with a window"),
  "window-pattern": whole(1, 1024, "every P-th layer sees all tokens"),
  "soft-cap": real(1e-3, 1e6, "attention scores s become C·tanh(s / C)"),
  "final-soft-cap": real(1e-3, 1e6, "logits l become C·tanh(l / C)"),
  "attention-scale": real(1e-6, 1e3, "multiplies q·k, in place of 1 / √headDim"),
  "embedding-scale": real(1e-3, 1e4, "multiplies the embedding of a token"),
  "residual-scale": real(1e-3, 1e4, "multiplies what attention and FFN add"),
  "logit-scale": real(1e-3, 1e4, "scales the logits"),
  "temperature-scale": real(1e-3, 10, "q grows with the logarithm of the position"),
  "rope-base": real(1, 1e12, "base of the angles"),
  "rope-base-swa": real(1, 1e12, "base of the angles in layers with a window"),
  "rope-dims": whole(2, 4096, "elements of a head that are rotated"),
  "rope-factor": real(1, 1e4, "positions are divided by it (linear scaling)"),
  "rope-attention-factor": real(1e-3, 1e3, "multiplies sines and cosines"),
  yarn: real(1, 1e4, "YaRN's factor"),
  "original-context": whole(1, 1 << 27, "context before YaRN or longrope stretched it"),
  "yarn-beta-fast": real(1e-3, 1e4, "YaRN: rotations above which nothing is stretched"),
  "yarn-beta-slow": real(1e-3, 1e4, "YaRN: rotations below which all is stretched"),
  "yarn-log-multiplier": real(1e-3, 10, "YaRN: grows the attention factor"),
  "full-attention-interval": whole(1, 1024, "every N-th layer has attention, others a state"),
  "shared-kv-layers": whole(1, 1024, "so many last layers use keys and values of earlier ones"),
  "kv-heads-full": whole(1, 4096, "key and value heads of layers without a window"),
  "shared-keys": flag("1: layers without a window have no attn_v, their keys are their values"),
  "wide-ffn": flag("1: layers that use keys of earlier ones have twice as many neurons"),
  "per-layer-embedding": whole(8, 4096, "length of the embedding that each layer reads"),
  "state-size": whole(8, 1024, "length of a key and a value of a layer with a state"),
  "state-groups": whole(1, 4096, "query and key heads of a layer with a state"),
  "state-heads": whole(1, 4096, "value heads of a layer with a state"),
  convolution: whole(2, 64, "tokens that the convolution before a state reads"),
  experts: whole(1, 65536, "feed-forward blocks of a layer"),
  "experts-used": whole(1, 65536, "of them, those that a token uses"),
  "expert-ffn": whole(32, 1 << 22, "neurons of an expert (--ffn)"),
  "shared-experts": whole(1, 1024, "experts besides, that every token uses"),
  "dense-layers": whole(1, 1024, "so many first layers have no experts"),
  "router-skew": real(0, 5, "an expert of rank k is used about in proportion to k^-Z"),
  gating: whole(1, 2, "scores of experts: 1 softmax, 2 sigmoid"),
  "selection-bias": flag("1: a bias of each expert, which counts in the choice alone"),
  "expert-weights-norm": flag("1: the weights of the chosen experts are divided by their sum"),
  "expert-weights-scale": real(1e-3, 1e3, "multiplies the weights of the chosen experts"),
  "expert-groups": whole(2, 1024, "groups of experts, of which only some are open to a token"),
  "expert-groups-used": whole(1, 1024, "of them, those that are open"),
  "fused-experts": flag("1: gate and up of an expert are one matrix"),
  "nextn-layers": whole(1, 16, "so many last layers propose further tokens"),
  "weight-scales": flag("1: matrices have a scale of one number beside them"),
};

/** Values by name; a name without a value is a feature that the architecture has and this model has not. */
export type Features = Readonly<Partial<Record<FeatureName, number | undefined>>>;

export const featureNames: readonly FeatureName[] = Object.keys(table).filter(isFeatureName);

function isFeatureName(name: string): name is FeatureName {
  return Object.hasOwn(table, name);
}

export function featureHelp(name: FeatureName): string {
  return table[name].help;
}

/**
 * The stock features of an architecture with those of the command line in their place.
 * @throws OptionError for a feature that the architecture lacks, and for a value out of range.
 */
export function chooseFeatures(
  given: Readonly<Partial<Record<FeatureName, string>>>,
  stock: { readonly architecture: string; readonly features: Features },
): Features {
  const chosen: Partial<Record<FeatureName, number | undefined>> = { ...stock.features };
  for (const [name, text] of Object.entries(given)) {
    if (!isFeatureName(name) || !Object.hasOwn(stock.features, name)) refuse(`--${name}`, stock);
    chosen[name] = text === "off" ? undefined : judge(name, text);
  }
  return chosen;
}

/** @throws OptionError always: an option that belongs to other architectures. */
export function refuse(
  option: string,
  stock: { readonly architecture: string; readonly features: Features },
): never {
  const has = Object.keys(stock.features).map((each) => `--${each}`);
  const own = has.length === 0 ? "none of its own" : has.join(", ");
  const message = `${option}: ${stock.architecture} has no such option; it has ${own}`;
  throw new OptionError(option, stock.architecture, own, message);
}

function judge(name: FeatureName, text: string): number {
  const { min, max, integer } = table[name];
  const value = Number(text);
  if (text.trim() !== "" && value >= min && value <= max && (!integer || Number.isInteger(value))) {
    return value;
  }
  const kind = integer ? "a whole number" : "a number";
  throw new OptionError(`--${name}`, text, `${kind} from ${min} to ${max}, or off`);
}
