/** The models that are compared with native llama.cpp: each architecture in two shapes, each feature switched off. */
import { architectureNames } from "../../src/model/registry.ts";
import type { Variant } from "../make-model/variant.ts";
import { variantOptions, variantShape, variants } from "../make-model/variants.ts";

export interface ProvedCase {
  /** Of the architecture or the variant. */
  readonly name: string;
  /** What is made, in words. */
  readonly what: string;
  /** As on make-model's command line. */
  readonly options: string;
  /** Answers are compared too, and the graphics card is asked. */
  readonly isWhole: boolean;
  /** Two likeliest tokens whose log probabilities are nearer than this may change places between programs. */
  readonly tie: number;
}

/** Heads that are no power of two, another seed, and weights of 16 bits. */
const otherShape = "--dim 96 --layers 5 --ffn 224 --heads 6 --kv-heads 3 --context 512 --seed 11";

/** Native llama.cpp lacks these; golden tests compare them with what other programs gave. */
const withoutOracle: ReadonlySet<string> = new Set(["bamboo", "opt", "bitnet-b1.58"]);

/** Rounding of sums in f32. */
const closeF32 = 1e-3;
/** Native llama.cpp rounds what weights of 16 bits multiply to 16 bits, hearth does not. */
const closeF16 = 2e-2;

/** The two programs round what quantised weights multiply each in its own way. */
const closeQuantised = 0.5;

export function provedCases(): readonly ProvedCase[] {
  const known = variants.filter(isComparable);
  const covered = new Set(known.map(({ options }) => archOf(options)));
  const others = architectureNames.filter((name) => !covered.has(name) && !withoutOracle.has(name));
  return [
    ...others.flatMap((name) => shapesOf(name, `--arch ${name}`)),
    ...known.flatMap(({ name, options, without }) => [
      ...shapesOf(name, options),
      ...Object.entries(without).map(([feature, changes]) => ({
        name,
        what: `without ${feature}`,
        options: `${variantShape} --type f32 ${options} ${changes}`,
        isWhole: false,
        tie: closeF32,
      })),
    ]),
  ];
}

/** Both programs compute it. */
function isComparable(variant: Variant): boolean {
  const { recipe } = variantOptions(variant, "x.gguf");
  const isKnown = architectureNames.includes(recipe.architecture ?? recipe.name);
  return isKnown && variant.isRefused !== true && variant.isUnknownToNative !== true;
}

function shapesOf(name: string, options: string): readonly ProvedCase[] {
  const tie = options.includes("--expert-type") ? closeQuantised : undefined;
  const f32 = { options: `${variantShape} --type f32 ${options}`, tie: tie ?? closeF32 };
  const f16 = { options: `${otherShape} --type f16 ${options}`, tie: tie ?? closeF16 };
  return [
    { name, what: "F32", isWhole: true, ...f32 },
    { name, what: "F16, another shape and seed", isWhole: true, ...f16 },
  ];
}

function archOf(options: string): string {
  return /--arch (\S+)/.exec(options)?.[1] ?? "";
}
