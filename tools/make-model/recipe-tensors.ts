/** From a recipe and a shape to tensors with their bytes. A tensor's content depends on its name, its scale and the seed. */
import { OptionError } from "../../src/core/errors.ts";
import { createRandom } from "../../src/core/random.ts";
import type { TensorToWrite } from "../../src/gguf/write.ts";
import type { FeatureName } from "./features.ts";
import type { RecipeOptions } from "./options.ts";
import { constantColumns, type MadeTensor, type RecipeModel } from "./recipe.ts";
import { type Content, matrixBytes } from "./rows.ts";
import { seedOf, typeFor } from "./tensor-values.ts";

export function modelOf(options: RecipeOptions): RecipeModel {
  const { dim, layers, ffn, heads, kvHeads, vocabulary, context, features } = options;
  const headDim = features["head-dim"] ?? dim / heads;
  const shape = { dim, layers, ffn, heads, kvHeads, headDim, vocabulary, context };
  const feature = (name: FeatureName): number | undefined =>
    name === "tied" && options.recipe.alwaysTied ? 1 : features[name];
  const stock = (name: FeatureName): number => options.recipe.features[name] ?? 1;
  return { ...shape, feature, stock };
}

/** @throws OptionError for a neutral tensor that the model does not have. */
export function recipeTensors(options: RecipeOptions): readonly TensorToWrite[] {
  const { recipe, layers, neutral } = options;
  const model = modelOf(options);
  const blocks = Array.from({ length: layers }, (_, layer) =>
    recipe.layer(model, layer).map((made) => ({ made, name: `blk.${layer}.${made.name}` })),
  );
  const whole = (tensors: readonly MadeTensor[]) =>
    tensors.map((made) => ({ made, name: made.name }));
  const all = [...whole(recipe.first(model)), ...blocks.flat(), ...whole(recipe.last(model))];
  const names = new Set(all.map(({ made }) => made.name));
  for (const name of neutral) {
    if (!names.has(name)) throw new OptionError("--neutral", name, [...names].join(", "));
  }
  return all.map(({ made, name }) => tensorOf(made, name, options));
}

function tensorOf(made: MadeTensor, name: string, options: RecipeOptions): TensorToWrite {
  const { dimensions } = made;
  const [columns = 1, ...rest] = dimensions;
  const rows = rest.reduce((product, length) => product * length, 1);
  const wanted = made.isOfExperts ? options.expertType : options.type;
  const type = made.type ?? typeFor(wanted, columns);
  const seed = seedOf(options.seed, name);
  const content = contentOf(made, { seed, isNeutral: options.neutral.includes(made.name) });
  return {
    name,
    type,
    dimensions,
    data: () => matrixBytes({ type, rows, columns, content, seed }),
  };
}

function contentOf(
  made: MadeTensor,
  tensor: { readonly seed: number; readonly isNeutral: boolean },
): Content {
  const { mean, sigma, neutral, constant, silentRows } = made;
  const [columns = 1, matrixRows = 1] = made.dimensions;
  if (tensor.isNeutral) {
    return { kind: "computed", fill: (_, target) => void target.fill(neutral) };
  }
  const { readColumns = columns } = made;
  if (constant !== undefined && readColumns === columns) {
    const prefixColumns = constantColumns(columns);
    const prefix = (row: number, target: Float32Array): void => void target.fill(constant(row));
    return { kind: "prefixed", sigma, prefixColumns, prefix };
  }
  if (mean === 0 && made.type === undefined) {
    return { kind: "random", sigma, zeroRows: silentRows ?? 0, matrixRows };
  }
  const random = createRandom(tensor.seed);
  const fixed = constant === undefined ? 0 : constantColumns(columns);
  const fill = (row: number, target: Float32Array): void => {
    for (let index = 0; index < readColumns; index++) {
      target[index] = mean + sigma * random.normal();
    }
    if (constant !== undefined) target.fill(constant(row), 0, fixed);
  };
  return { kind: "computed", fill };
}
