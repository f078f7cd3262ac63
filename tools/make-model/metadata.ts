/** The metadata of a synthetic model, under the keys that llama.cpp, PowerInfer and hearth read. */
import { weightFormat } from "../../src/core/dtype.ts";
import { type MetadataValue, metadataValue } from "../../src/gguf/value.ts";
import type { ArrangedOptions, MakeModelOptions, RecipeOptions } from "./options.ts";
import type { Recipe } from "./recipe.ts";
import { modelOf } from "./recipe-tensors.ts";
import { makeVocabulary, special } from "./vocabulary.ts";

export function modelMetadata(options: MakeModelOptions): Map<string, MetadataValue> {
  const { u32, f32, string } = metadataValue;
  const isRecipe = options.kind === "recipe";
  const type = isRecipe ? options.expertType : options.type;
  const entries = new Map([
    ["general.architecture", string(architectureOf(options))],
    ["general.name", string(options.name)],
    ["general.file_type", u32(weightFormat(type).fileType)],
    ["general.quantization_version", u32(2)],
    ...(isRecipe ? recipeEntries(options) : shapeEntries(options)),
    ...vocabularyEntries(options.vocabulary, isRecipe ? options.recipe.tokenizer : undefined),
  ]);
  if (isRecipe) return entries;
  if (options.activation !== options.architecture.activation.kind) {
    entries.set("hearth.activation", string(options.activation));
  }
  if (options.powerinfer) entries.set("powerinfer.sparse_threshold", f32(0));
  return entries;
}

function architectureOf(options: MakeModelOptions): string {
  if (options.kind === "arranged") return options.architecture.name;
  return options.recipe.architecture ?? options.recipe.name;
}

function recipeEntries(options: RecipeOptions): (readonly [string, MetadataValue])[] {
  const { recipe, vocabulary } = options;
  const architecture = architectureOf(options);
  const keys = { ...recipe.keys(modelOf(options)), vocab_size: metadataValue.u32(vocabulary) };
  return Object.entries(keys).flatMap(([key, value]) =>
    value === undefined ? [] : [[`${architecture}.${key}`, value] as const],
  );
}

function shapeEntries(options: ArrangedOptions): readonly (readonly [string, MetadataValue])[] {
  const { u32, f32 } = metadataValue;
  const { architecture, dim, heads } = options;
  const key = (name: string): string => `${architecture.name}.${name}`;
  const { positions } = architecture;
  const epsilon = architecture.norm === "rms" ? "layer_norm_rms_epsilon" : "layer_norm_epsilon";
  const extraPositions = positions.kind === "learned" ? positions.offset : 0;
  const headDim = dim / heads;
  const entries: [string, MetadataValue][] = [
    // Published OPT files count the rows of the table, not the positions.
    [key("context_length"), u32(options.context + extraPositions)],
    [key("embedding_length"), u32(dim)],
    [key("block_count"), u32(options.layers)],
    [key("feed_forward_length"), u32(options.ffn)],
    [key("vocab_size"), u32(options.vocabulary)],
    [key("attention.head_count"), u32(heads)],
    [key("attention.head_count_kv"), u32(options.kvHeads)],
    [key("attention.key_length"), u32(headDim)],
    [key("attention.value_length"), u32(headDim)],
    [key(`attention.${epsilon}`), f32(1e-5)],
  ];
  if (positions.kind === "learned") return entries;
  return [
    ...entries,
    [key("rope.dimension_count"), u32(architecture.name === "nemotron" ? headDim / 2 : headDim)],
    [key("rope.freq_base"), f32(10000)],
  ];
}

function vocabularyEntries(
  size: number,
  tokenizer: Recipe["tokenizer"] = "llama",
): readonly (readonly [string, MetadataValue])[] {
  const { u32, i32s, f32s, boolean, string, strings } = metadataValue;
  const { tokens, scores, types, merges } = makeVocabulary(size);
  const key = (name: string): string => `tokenizer.ggml.${name}`;
  return [
    [key("model"), string(tokenizer)],
    [key("tokens"), strings(tokens)],
    [key("scores"), f32s(scores)],
    ...(tokenizer === "gemma4" ? [[key("merges"), strings(merges)] as const] : []),
    [key("token_type"), i32s(types)],
    [key("bos_token_id"), u32(special.begin)],
    [key("eos_token_id"), u32(special.end)],
    [key("unknown_token_id"), u32(special.unknown)],
    [key("add_bos_token"), boolean(true)],
    [key("add_eos_token"), boolean(false)],
  ];
}
