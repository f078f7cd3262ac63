/** The command line of make-model: parsed, completed with defaults and judged. */
import { parseArgs } from "node:util";
import { isWeightType, type WeightType, weightTypes } from "../../src/core/dtype.ts";
import { OptionError, UnsupportedError } from "../../src/core/errors.ts";
import type { Architecture } from "../../src/model/architecture.ts";
import { architectureNames, architectureOf } from "../../src/model/registry.ts";
import {
  chooseFeatures,
  type FeatureName,
  type Features,
  featureHelp,
  featureNames,
  refuse,
} from "./features.ts";
import type { Recipe } from "./recipe.ts";
import { recipes } from "./recipes.ts";

export type MakeModelOptions = ArrangedOptions | RecipeOptions;

interface CommonOptions {
  readonly out: string;
  readonly name: string;
  readonly dim: number;
  readonly layers: number;
  readonly ffn: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly vocabulary: number;
  readonly context: number;
  readonly type: WeightType;
  readonly seed: number;
  readonly powerinfer: boolean;
}

/** An architecture of the registry, its neurons arranged to fire as often as is asked for. */
export interface ArrangedOptions extends CommonOptions {
  readonly kind: "arranged";
  readonly architecture: Architecture;
  readonly activation: "relu" | "relu2" | "silu" | "gelu-tanh";
  /** Share of neurons that fire; absent: random weights, nothing arranged. */
  readonly active?: number;
  /** Exponent of the power law of firing; 0: all neurons alike. */
  readonly skew: number;
  /** Absent: no predictor. */
  readonly predictorRank?: number;
}

/** A published architecture's tensors and keys, with features of its own. */
export interface RecipeOptions extends CommonOptions {
  readonly kind: "recipe";
  readonly recipe: Recipe;
  readonly features: Features;
  /** Of the matrices that each expert has. */
  readonly expertType: WeightType;
  /** Names of tensors, without "blk.N.", that are to have no effect. */
  readonly neutral: readonly string[];
}

export const usage: string = `Makes a model with random weights, the same for the same options.

npm run make-model -- OUT.gguf [options]
  --arch NAME           ${allNames().join(", ")} (llama)
  --dim N --layers N --ffn N --heads N --kv-heads N --vocab N --context N
                        (256, 4, 4 x dim, dim / 64, heads, 512, 2048)
  --type TYPE           ${weightTypes.map((type) => type.toLowerCase()).join(", ")} (f16)
  --seed N              (1)
  --activation NAME     relu, relu2, silu, gelu-tanh (what the architecture has)
  --active P            share of neurons that fire, 0.005 to 0.9; relu and relu2 only
  --skew S              power law: neuron of rank k fires in proportion to k^-S (0)
  --predictor-rank R    with fc1 [R, dim] and fc2 [ffn, R] that predict them
  --powerinfer          PowerInfer's format: magic PWRI, ffn_down_t, predictors (--active 0.1 --predictor-rank 256)
  --name TEXT           general.name

Of ${[...recipes.keys()].join(", ")} only, each as far as it has it; "off" where a model can be without:
  --expert-type TYPE    of the experts' matrices (--type)
  --neutral NAMES       tensors without effect: norms 1, biases and matrices 0 (attn_q_norm.weight,…)
${featureNames.map((name) => `  ${`--${name} X`.padEnd(28)}${featureHelp(name)}`).join("\n")}`;

export function parseOptions(args: readonly string[]): MakeModelOptions {
  const { values, positionals } = parse(args);
  const [out, ...rest] = positionals;
  if (out === undefined || rest.length > 0) {
    throw new OptionError("OUT.gguf", positionals.join(" ") || "nothing", "one path");
  }
  const { arch = "llama" } = values;
  const recipe = recipes.get(arch);
  return recipe === undefined
    ? arrangedOptions(out, values, architectureNamed(arch))
    : recipeOptions(out, values, recipe);
}

type Values = ReturnType<typeof parse>["values"];

function arrangedOptions(out: string, values: Values, architecture: Architecture): ArrangedOptions {
  const own = { architecture: architecture.name, features: {} };
  chooseFeatures(featuresGiven(values), own);
  for (const name of ["neutral", "expert-type"] as const) {
    if (values[name] !== undefined) refuse(`--${name}`, own);
  }
  const powerinfer = values.powerinfer ?? false;
  const active = optional(values, "active") ?? (powerinfer ? 0.1 : undefined);
  const predictorRank = optional(values, "predictor-rank") ?? (powerinfer ? 256 : undefined);
  const options: ArrangedOptions = {
    kind: "arranged",
    ...commonOptions(out, values, architecture.name),
    architecture,
    activation: parseActivation(values.activation, { architecture, powerinfer }),
    ...(active !== undefined && { active }),
    skew: optional(values, "skew") ?? 0,
    ...(predictorRank !== undefined && { predictorRank }),
    powerinfer,
  };
  judgeArranged(options);
  return options;
}

function recipeOptions(out: string, values: Values, recipe: Recipe): RecipeOptions {
  const own = { architecture: recipe.name, features: recipe.features };
  const features = chooseFeatures(featuresGiven(values), own);
  for (const name of ["activation", "active", "skew", "predictor-rank", "powerinfer"] as const) {
    if (values[name] !== undefined) refuse(`--${name}`, own);
  }
  const { "expert-type": expertType } = values;
  if (expertType !== undefined && !Object.hasOwn(recipe.features, "experts")) {
    refuse("--expert-type", own);
  }
  // Not the architecture's name: llama.cpp expects Phi-3's own vocabulary where general.name has "phi3".
  const common = commonOptions(out, values, "model");
  const options: RecipeOptions = {
    kind: "recipe",
    ...common,
    expertType: expertType === undefined ? common.type : parseType("--expert-type", expertType),
    recipe,
    features,
    neutral: values.neutral?.split(",") ?? [],
    powerinfer: false,
  };
  judgeShape(options, Object.hasOwn(recipe.features, "head-dim"));
  return options;
}

function featuresGiven(values: Values): Partial<Record<FeatureName, string>> {
  const given: Partial<Record<FeatureName, string>> = {};
  for (const name of featureNames) {
    const text = values[name];
    if (text !== undefined) given[name] = text;
  }
  return given;
}

function commonOptions(
  out: string,
  values: Values,
  what: string,
): Omit<CommonOptions, "powerinfer"> {
  const dim = optional(values, "dim") ?? 256;
  const heads = optional(values, "heads") ?? Math.max(1, dim / 64);
  return {
    out,
    name: values.name ?? `synthetic ${what}`,
    dim,
    layers: optional(values, "layers") ?? 4,
    ffn: optional(values, "ffn") ?? 4 * dim,
    heads,
    kvHeads: optional(values, "kv-heads") ?? heads,
    vocabulary: optional(values, "vocab") ?? 512,
    context: optional(values, "context") ?? 2048,
    type: parseType("--type", values.type ?? "f16"),
    seed: optional(values, "seed") ?? 1,
  };
}

function optional(values: Values, name: keyof Values): number | undefined {
  const text = values[name];
  return text === undefined ? undefined : Number(text);
}

function allNames(): readonly string[] {
  return [...new Set([...architectureNames, ...recipes.keys()])];
}

function architectureNamed(name: string): Architecture {
  if (architectureNames.includes(name)) return architectureOf(name);
  throw new UnsupportedError(`architecture "${name}"`, allNames());
}

const text = { type: "string" } as const;

/** One option of parseArgs for each feature. */
const featureTexts = Object.fromEntries(featureNames.map((name) => [name, text])) as Record<
  FeatureName,
  typeof text
>;

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        arch: text,
        dim: text,
        layers: text,
        ffn: text,
        heads: text,
        "kv-heads": text,
        vocab: text,
        context: text,
        type: text,
        seed: text,
        activation: text,
        active: text,
        skew: text,
        "predictor-rank": text,
        powerinfer: { type: "boolean" },
        name: text,
        "expert-type": text,
        neutral: text,
        ...featureTexts,
      },
    });
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    throw new OptionError("command line", found, "the options of --help");
  }
}

function parseType(option: string, name: string): WeightType {
  const type = name.toUpperCase();
  if (isWeightType(type)) return type;
  throw new OptionError(option, name, "a weight type such as f16 or q4_0");
}

function parseActivation(
  name: string | undefined,
  model: { readonly architecture: Architecture; readonly powerinfer: boolean },
): ArrangedOptions["activation"] {
  const stock = model.architecture.activation.kind;
  const chosen = name ?? (model.powerinfer ? "relu" : stock);
  switch (chosen) {
    case "relu":
    case "relu2":
    case "silu":
    case "gelu-tanh":
      return chosen;
    default:
      throw new OptionError("--activation", chosen, "relu, relu2, silu or gelu-tanh");
  }
}

/** `ownHeads`: heads may have any length, so that dim need not be a multiple of them. */
function judgeShape(options: CommonOptions, ownHeads: boolean): void {
  const { dim, heads, kvHeads } = options;
  const limits: readonly (readonly [string, number, number, number])[] = [
    ["--dim", dim, 32, 1 << 17],
    ["--layers", options.layers, 1, 1024],
    ["--ffn", options.ffn, 32, 1 << 22],
    ["--heads", heads, 1, 4096],
    ["--kv-heads", kvHeads, 1, heads],
    ["--vocab", options.vocabulary, 8, 1 << 20],
    ["--context", options.context, 8, 1 << 27],
    ["--seed", options.seed, 0, 2 ** 32 - 1],
  ];
  for (const limit of limits) expectWhole(...limit);
  const fits = ownHeads || (dim / heads) % 2 === 0;
  expect(fits, "--heads", heads, `a divisor of dim ${dim} that leaves even heads`);
  expect(heads % kvHeads === 0, "--kv-heads", kvHeads, `a divisor of the ${heads} heads`);
}

function judgeArranged(options: ArrangedOptions): void {
  const { dim, active, predictorRank, activation } = options;
  judgeShape(options, false);
  expectWhole("--predictor-rank", predictorRank ?? 16, 16, 1 << 16);
  expect(options.skew >= 0 && options.skew <= 5, "--skew", options.skew, "a number from 0 to 5");
  if (active === undefined) {
    expect(
      predictorRank === undefined,
      "--predictor-rank",
      predictorRank ?? 0,
      "--active beside it",
    );
    return;
  }
  expect(active >= 0.005 && active <= 0.9, "--active", active, "a number from 0.005 to 0.9");
  expect(dim >= 128, "--dim", dim, "at least 128 beside --active");
  const isRelu = activation === "relu" || activation === "relu2";
  expect(isRelu, "--active", active, `--activation relu or relu2; ${activation} never rests`);
}

function expectWhole(option: string, value: number, min: number, max: number): void {
  const fits = Number.isInteger(value) && value >= min && value <= max;
  expect(fits, option, value, `a whole number from ${min} to ${max}`);
}

function expect(holds: boolean, option: string, found: number, expected: string): void {
  if (!holds) throw new OptionError(option, String(found), expected);
}
