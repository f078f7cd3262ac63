/** The models of the proof: the bundled one, and synthetic ones that are made when a section first needs them. */
import { existsSync, renameSync } from "node:fs";
import { join } from "node:path";
import { packagePath } from "../../src/core/package-root.ts";
import type { Sparsity } from "../../src/sparsity/method.ts";
import { makeModel } from "../make-model/make-model.ts";
import { parseOptions } from "../make-model/options.ts";
import type { Context } from "./section.ts";

export interface ProofModel {
  readonly name: string;
  readonly path: string;
  readonly sparsity: Sparsity;
}

interface Recipe {
  readonly name: string;
  readonly sparsity: Sparsity;
  /** As on make-model's command line, for the short form and for a card. */
  readonly common: string;
  readonly short: string;
  readonly full: string;
}

const smallShape = "--dim 128 --layers 3 --ffn 320 --heads 4 --kv-heads 2 --vocab 300";
const cardShape = "--dim 512 --layers 6 --ffn 1536 --heads 8 --kv-heads 4 --vocab 4000";

/** Gated by its own zeros, dense in four bits, and predicted in an architecture with layer norms and biases. */
const syntheticRecipes: readonly Recipe[] = [
  {
    name: "ReGLU F16",
    sparsity: "gate",
    common: "--type f16 --activation relu --context 256",
    short: smallShape,
    full: cardShape,
  },
  {
    name: "SwiGLU Q4_0",
    sparsity: "dense",
    common: "--type q4_0 --context 256",
    short: smallShape,
    full: cardShape,
  },
  {
    name: "opt F16 with predictors",
    sparsity: "mlp",
    common:
      "--arch opt --type f16 --activation relu --active 0.2 --predictor-rank 64 --context 256",
    short: "--dim 128 --layers 3 --ffn 320 --heads 4 --vocab 300",
    full: "--dim 512 --layers 6 --ffn 1536 --heads 8 --vocab 4000",
  },
];

/** ReGLU with a tenth of its neurons active by a power law, and predictors that know them: 1.3 GB. */
const standInRecipe: Recipe = {
  name: "ReGLU stand-in F16",
  sparsity: "mlp",
  common: "--type f16 --activation relu --active 0.1 --skew 0.7",
  short: "--dim 256 --layers 4 --ffn 1024 --heads 4 --vocab 1000 --predictor-rank 64",
  full: "--dim 2048 --layers 8 --ffn 8192 --heads 16 --vocab 32000 --predictor-rank 256",
};

export const bundledModel: ProofModel = {
  name: "bundled model",
  path: packagePath("models/default.gguf"),
  sparsity: "gate",
};

export async function syntheticModels(context: Context): Promise<readonly ProofModel[]> {
  const made: ProofModel[] = [];
  for (const recipe of syntheticRecipes) made.push(await make(recipe, context));
  return made;
}

export function standIn(context: Context): Promise<ProofModel> {
  return make(standInRecipe, context);
}

/** Made once: a later section finds the file. */
async function make(recipe: Recipe, { folder, mode }: Context): Promise<ProofModel> {
  const { name, sparsity, common } = recipe;
  const path = join(folder, `${name.replaceAll(/[^\w]+/g, "-").toLowerCase()}-${mode}.gguf`);
  if (!existsSync(path)) {
    const shape = mode === "short" ? recipe.short : recipe.full;
    const partial = `${path}.${process.pid}`;
    await makeModel(
      parseOptions([partial, ...common.split(" "), ...shape.split(" "), "--name", name]),
    );
    renameSync(partial, path);
  }
  return { name, path, sparsity };
}
