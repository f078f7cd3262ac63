/**
 * Gemma 3n: Gemma 3 with four residuals of which one is computed (AltUp), a low-rank branch beside attention (LAuReL),
 * an embedding of each layer's own, and the first ten layers' gates cut to the largest twentieth. llama.cpp takes from
 * no key that there are 4 residuals, 20 layers with keys of their own, lengths of 256 and 64, and a soft cap of 30.
 */
import { type MetadataValue, metadataValue } from "../../../src/gguf/value.ts";
import { type MadeTensor, matrix, norm, type Recipe, type RecipeModel, vector } from "../recipe.ts";
import {
  attentionOutput,
  embedding,
  gatedFfn,
  given,
  headKeys,
  headNorms,
  lastNorm,
  projections,
  residual,
  shapeKeys,
} from "../recipe-parts.ts";

const { u32, f32, f32s } = metadataValue;

const residuals = 4;
const perLayerLength = 256;
const laurelRank = 64;
const sparseLayers = 10;
/** The deviations above its mean that a gate of a sparse layer must have: 95 % have not. */
const sparseDeviations = 1.6448536;

function windows({ layers, feature, stock }: RecipeModel): MetadataValue {
  const period = feature("window-pattern") ?? stock("window-pattern");
  const values = Array.from({ length: layers }, (_, layer) => Number((layer + 1) % period !== 0));
  return { kind: "booleans", values: Uint8Array.from(values) };
}

/** One matrix for each residual but the first. */
function stack(name: string, dim: number): MadeTensor {
  return { ...matrix(name, dim, dim), dimensions: [dim, dim, residuals - 1] };
}

/** A router's rows are divided by dim, once by llama.cpp. */
function altup({ dim }: RecipeModel): readonly MadeTensor[] {
  return [
    matrix("altup_correct_coef", residuals, residuals, 0.5),
    vector("altup_correct_scale.weight", dim, { mean: 1, sigma: 0.3, neutral: 1 }),
    matrix("altup_predict_coef", residuals ** 2, residuals, 0.3),
    matrix("altup_router", residuals, dim, dim),
    norm("altup_router_norm", dim),
  ];
}

export const gemma3n: Recipe = {
  name: "gemma3n",
  features: {
    "head-dim": undefined,
    "rope-base": 1e6,
    "rope-base-swa": 500,
    window: 24,
    "window-pattern": 5,
  },
  alwaysTied: true,
  keys: (model) => ({
    ...shapeKeys(model),
    ...headKeys(model),
    "attention.sliding_window": u32(model.feature("window") ?? model.context),
    "attention.sliding_window_pattern": windows(model),
    "attention.shared_kv_layers": u32(Math.max(0, model.layers - 20)),
    "rope.freq_base_swa": given(f32, model.feature("rope-base-swa")),
    activation_sparsity_scale: f32s(
      Array.from({ length: model.layers }, (_, layer) =>
        layer < sparseLayers ? sparseDeviations : 0,
      ),
    ),
    "altup.active_idx": u32(0),
    "altup.num_inputs": u32(residuals),
    embedding_length_per_layer_input: u32(perLayerLength),
    final_logit_softcapping: f32(30),
  }),
  first: (model) => [
    embedding(model, Math.sqrt(model.dim)),
    stack("altup_proj", model.dim),
    stack("altup_unembd_proj", model.dim),
    matrix(
      "per_layer_token_embd",
      model.vocabulary,
      perLayerLength * model.layers,
      Math.sqrt(model.layers),
    ),
    matrix("per_layer_model_proj", perLayerLength * model.layers, model.dim),
    norm("per_layer_proj_norm", perLayerLength),
  ],
  layer: (model) => {
    const { dim } = model;
    const added = 0.7 * residual(model, Math.sqrt(dim));
    return [
      norm("attn_norm", dim),
      ...projections(model, 1),
      ...headNorms(model, 1.5 / model.headDim ** 0.25),
      attentionOutput(model, 1),
      norm("post_attention_norm", dim, added),
      norm("ffn_norm", dim),
      ...gatedFfn(model, 1),
      norm("post_ffw_norm", dim, added),
      matrix("inp_gate", perLayerLength, dim),
      matrix("proj", dim, perLayerLength),
      norm("post_norm", dim, added),
      ...altup(model),
      matrix("laurel_l", laurelRank, dim),
      matrix("laurel_r", dim, laurelRank),
      norm("laurel_post_norm", dim),
    ];
  },
  last: (model) => [lastNorm(model)],
};
