/**
 * Gemma 4: layers with a window have shorter heads than others; the small models have an embedding of each
 * layer's own and use keys and values of earlier layers in the last ones; the large ones have keys that are values; one
 * has experts beside each block, with norms and a router of their own.
 */
import { type MetadataValue, metadataValue } from "../../../src/gguf/value.ts";
import { type MadeTensor, matrix, norm, type Recipe, type RecipeModel, vector } from "../recipe.ts";
import {
  expertCount,
  expertFeatures,
  expertKeys,
  expertNeurons,
  experts,
  router,
} from "../recipe-experts.ts";
import {
  adding,
  attentionOutput,
  embedding,
  gatedFfn,
  given,
  headNorms,
  lastNorm,
  residual,
  shapeKeys,
} from "../recipe-parts.ts";

const { u32, u32s, f32 } = metadataValue;

function hasWindow({ feature, stock }: RecipeModel, layer: number): boolean {
  return (layer + 1) % (feature("window-pattern") ?? stock("window-pattern")) !== 0;
}

/** One layer of each kind, at least, stores keys and values. */
function readingLayers({ feature, layers }: RecipeModel): number {
  return Math.min(feature("shared-kv-layers") ?? 0, Math.max(0, layers - 2));
}

/** The model as one layer sees it. */
function ofLayer(model: RecipeModel, layer: number): RecipeModel {
  const { feature, layers, ffn } = model;
  const isWide = feature("wide-ffn") === 1 && layer >= layers - readingLayers(model);
  const neurons = { ffn: isWide ? 2 * ffn : ffn };
  if (!hasWindow(model, layer)) {
    return { ...model, ...neurons, kvHeads: feature("kv-heads-full") ?? model.kvHeads };
  }
  return { ...model, ...neurons, headDim: feature("head-dim-swa") ?? model.headDim };
}

/** One number if it is the same in every layer, as published files have it. */
function perLayer(model: RecipeModel, of: (layer: RecipeModel) => number): MetadataValue {
  const values = Array.from({ length: model.layers }, (_, layer) => of(ofLayer(model, layer)));
  const [first = 0] = values;
  return values.every((value) => value === first) ? u32(first) : u32s(values);
}

function attention(layer: RecipeModel, isFull: boolean): readonly MadeTensor[] {
  const { dim, heads, kvHeads, headDim, feature } = layer;
  const value = matrix("attn_v", kvHeads * headDim, dim);
  return [
    matrix("attn_q", heads * headDim, dim),
    matrix("attn_k", kvHeads * headDim, dim),
    ...(isFull && feature("shared-keys") === 1 ? [] : [value]),
    // Scores are not divided by √headDim.
    ...headNorms(layer, 1.5 / headDim ** 0.25),
    attentionOutput(layer, 1),
  ];
}

function perLayerEmbeddings({
  dim,
  layers,
  vocabulary,
  feature,
}: RecipeModel): readonly MadeTensor[] {
  const length = feature("per-layer-embedding");
  if (length === undefined) return [];
  return [
    // Multiplied by √length.
    matrix("per_layer_token_embd", vocabulary, length * layers, Math.sqrt(layers)),
    matrix("per_layer_model_proj", length * layers, dim),
    norm("per_layer_proj_norm", length),
  ];
}

function perLayerInput(layer: RecipeModel, added: number): readonly MadeTensor[] {
  const length = layer.feature("per-layer-embedding");
  if (length === undefined) return [];
  return [
    matrix("inp_gate", length, layer.dim),
    adding(layer, matrix("proj", layer.dim, length)),
    norm("post_norm", layer.dim, added),
  ];
}

/** Its output is added to that of the block beside it, each normed before. */
function expertBlock(model: RecipeModel, layer: number): readonly MadeTensor[] {
  const { dim, feature } = model;
  if (feature("experts") === undefined) return [];
  const weighed = { mean: 1, sigma: 0.4, neutral: 1 };
  return [
    // What it reads is divided by √dim.
    router(model, layer, 2 * Math.sqrt(dim)),
    vector("ffn_gate_inp.scale", dim, weighed),
    norm("pre_ffw_norm_2", dim),
    ...experts(model, 1),
    vector("ffn_down_exps.scale", expertCount(model), weighed),
    norm("post_ffw_norm_1", dim),
    norm("post_ffw_norm_2", dim),
  ];
}

export const gemma4: Recipe = {
  name: "gemma4",
  features: {
    "head-dim": undefined,
    "head-dim-swa": 8,
    "rope-base": 1e6,
    "rope-base-swa": 500,
    window: 24,
    "window-pattern": 2,
    "shared-kv-layers": 2,
    "kv-heads-full": undefined,
    "shared-keys": undefined,
    "wide-ffn": undefined,
    "per-layer-embedding": 32,
    "final-soft-cap": 5,
    ...expertFeatures,
    experts: undefined,
    "fused-experts": 1,
  },
  tokenizer: "gemma4",
  alwaysTied: true,
  keys: (model) => {
    const { feature, headDim, layers } = model;
    const short = feature("head-dim-swa") ?? headDim;
    const windows = Array.from({ length: layers }, (_, layer) => Number(hasWindow(model, layer)));
    return {
      ...shapeKeys(model),
      feed_forward_length: perLayer(model, ({ ffn }) => ffn),
      "attention.head_count_kv": perLayer(model, ({ kvHeads }) => kvHeads),
      "attention.key_length": u32(headDim),
      "attention.value_length": u32(headDim),
      "attention.key_length_swa": u32(short),
      "attention.value_length_swa": u32(short),
      "attention.sliding_window": u32(feature("window") ?? model.context),
      "attention.sliding_window_pattern": { kind: "booleans", values: Uint8Array.from(windows) },
      "attention.shared_kv_layers": u32(readingLayers(model)),
      "rope.dimension_count_swa": u32(short),
      "rope.freq_base_swa": given(f32, feature("rope-base-swa")),
      embedding_length_per_layer_input: u32(feature("per-layer-embedding") ?? 0),
      final_logit_softcapping: given(f32, feature("final-soft-cap")),
      ...(feature("experts") !== undefined && {
        ...expertKeys(model),
        expert_feed_forward_length: u32(expertNeurons(model)),
      }),
    };
  },
  first: (model) => [
    embedding(model, Math.sqrt(model.dim)),
    ...perLayerEmbeddings(model),
    // Of layers without a window. Published: 1 for a quarter of the angles, 1e30 (no rotation) for the rest.
    vector("rope_freqs.weight", model.headDim / 2, { mean: 4, sigma: 1, neutral: 1 }),
  ],
  layer: (model, index) => {
    const layer = ofLayer(model, index);
    const added = 0.6 * residual(model, Math.sqrt(model.dim));
    return [
      norm("attn_norm", layer.dim),
      ...attention(layer, !hasWindow(model, index)),
      norm("post_attention_norm", layer.dim, added),
      norm("ffn_norm", layer.dim),
      ...gatedFfn(layer, 1),
      ...expertBlock(model, index),
      norm("post_ffw_norm", layer.dim, added),
      ...perLayerInput(layer, added),
      vector("layer_output_scale.weight", 1, { mean: 0.7, sigma: 0.1, neutral: 1 }),
    ];
  },
  last: (model) => [lastNorm(model)],
};
