/** The command line of make-model: parsed, completed with defaults and judged. */
import { parseArgs } from "node:util";
import { isWeightType, type WeightType, weightTypes } from "../../src/core/dtype.ts";
import { OptionError } from "../../src/core/errors.ts";
import type { Architecture } from "../../src/model/architecture.ts";
import { architectureNames, architectureOf } from "../../src/model/registry.ts";

export interface MakeModelOptions {
  readonly out: string;
  readonly architecture: Architecture;
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
  readonly activation: "relu" | "relu2" | "silu" | "gelu-tanh";
  /** Share of neurons that fire; absent: random weights, nothing arranged. */
  readonly active?: number;
  /** Exponent of the power law of firing; 0: all neurons alike. */
  readonly skew: number;
  /** Absent: no predictor. */
  readonly predictorRank?: number;
  readonly powerinfer: boolean;
}

export const usage: string = `Makes a model with random weights, the same for the same options.

npm run make-model -- OUT.gguf [options]
  --arch NAME           ${architectureNames.join(", ")} (llama)
  --dim N --layers N --ffn N --heads N --kv-heads N --vocab N --context N
                        (256, 4, 4 x dim, dim / 64, heads, 512, 2048)
  --type TYPE           ${weightTypes.map((type) => type.toLowerCase()).join(", ")} (f16)
  --seed N              (1)
  --activation NAME     relu, relu2, silu, gelu-tanh (what the architecture has)
  --active P            share of neurons that fire, 0.005 to 0.9; relu and relu2 only
  --skew S              power law: neuron of rank k fires in proportion to k^-S (0)
  --predictor-rank R    with fc1 [R, dim] and fc2 [ffn, R] that predict them
  --powerinfer          PowerInfer's format: magic PWRI, ffn_down_t, predictors (--active 0.1 --predictor-rank 256)
  --name TEXT           general.name`;

export function parseOptions(args: readonly string[]): MakeModelOptions {
  const { values, positionals } = parse(args);
  const [out, ...rest] = positionals;
  if (out === undefined || rest.length > 0) {
    throw new OptionError("OUT.gguf", positionals.join(" ") || "nothing", "one path");
  }
  const number = (name: keyof typeof values, otherwise: number): number =>
    values[name] === undefined ? otherwise : Number(values[name]);
  const optional = (name: keyof typeof values): number | undefined =>
    values[name] === undefined ? undefined : Number(values[name]);
  const powerinfer = values.powerinfer ?? false;
  const architecture = architectureOf(values.arch ?? "llama");
  const dim = number("dim", 256);
  const heads = number("heads", Math.max(1, dim / 64));
  const active = optional("active") ?? (powerinfer ? 0.1 : undefined);
  const predictorRank = optional("predictor-rank") ?? (powerinfer ? 256 : undefined);
  return judge({
    out,
    architecture,
    name: values.name ?? `synthetic ${architecture.name}`,
    dim,
    layers: number("layers", 4),
    ffn: number("ffn", 4 * dim),
    heads,
    kvHeads: number("kv-heads", heads),
    vocabulary: number("vocab", 512),
    context: number("context", 2048),
    type: parseType(values.type ?? "f16"),
    seed: number("seed", 1),
    activation: parseActivation(values.activation, { architecture, powerinfer }),
    ...(active !== undefined && { active }),
    skew: number("skew", 0),
    ...(predictorRank !== undefined && { predictorRank }),
    powerinfer,
  });
}

const text = { type: "string" } as const;

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
      },
    });
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    throw new OptionError("command line", found, "the options of --help");
  }
}

function parseType(name: string): WeightType {
  const type = name.toUpperCase();
  if (isWeightType(type)) return type;
  throw new OptionError("--type", name, "a weight type such as f16 or q4_0");
}

function parseActivation(
  name: string | undefined,
  model: { readonly architecture: Architecture; readonly powerinfer: boolean },
): MakeModelOptions["activation"] {
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

function judge(options: MakeModelOptions): MakeModelOptions {
  const { dim, heads, kvHeads, active, predictorRank, activation } = options;
  const limits: readonly (readonly [string, number, number, number])[] = [
    ["--dim", dim, 32, 1 << 17],
    ["--layers", options.layers, 1, 1024],
    ["--ffn", options.ffn, 32, 1 << 22],
    ["--heads", heads, 1, 4096],
    ["--kv-heads", kvHeads, 1, heads],
    ["--vocab", options.vocabulary, 8, 1 << 20],
    ["--context", options.context, 8, 1 << 27],
    ["--seed", options.seed, 0, 2 ** 32 - 1],
    ["--predictor-rank", predictorRank ?? 16, 16, 1 << 16],
  ];
  for (const [name, value, min, max] of limits) {
    const fits = Number.isInteger(value) && value >= min && value <= max;
    expect(fits, name, value, `a whole number from ${min} to ${max}`);
  }
  const headDim = dim / heads;
  expect(headDim % 2 === 0, "--heads", heads, `a divisor of dim ${dim} that leaves even heads`);
  expect(heads % kvHeads === 0, "--kv-heads", kvHeads, `a divisor of the ${heads} heads`);
  expect(options.skew >= 0 && options.skew <= 5, "--skew", options.skew, "a number from 0 to 5");
  if (active === undefined) {
    expect(
      predictorRank === undefined,
      "--predictor-rank",
      predictorRank ?? 0,
      "--active beside it",
    );
    return options;
  }
  expect(active >= 0.005 && active <= 0.9, "--active", active, "a number from 0.005 to 0.9");
  expect(dim >= 128, "--dim", dim, "at least 128 beside --active");
  const isRelu = activation === "relu" || activation === "relu2";
  expect(isRelu, "--active", active, `--activation relu or relu2; ${activation} never rests`);
  return options;
}

function expect(holds: boolean, option: string, found: number, expected: string): void {
  if (!holds) throw new OptionError(option, String(found), expected);
}
