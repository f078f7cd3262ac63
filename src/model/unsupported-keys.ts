/**
 * Metadata keys that change what a model computes, in a way that hearth does not. Whoever converts a model writes a
 * key because the computation needs it: so a key under the architecture's name that is neither read nor known to
 * be harmless is refused, unless its value says that nothing changes. Names: llama.cpp's table (src/llama-arch.cpp).
 */
import { UnsupportedError } from "../core/errors.ts";
import type { GgufFile } from "../gguf/open.ts";
import { describeMetadataValue, type MetadataValue } from "../gguf/value.ts";
import type { Architecture } from "./architecture.ts";
import { listed } from "./weights.ts";

/** Read in some files, or without any part in what is computed. Keys that were asked for are accepted besides. */
const accepted: ReadonlySet<string> = new Set([
  "vocab_size",
  "context_length",
  "embedding_length",
  "block_count",
  "feed_forward_length",
  // Refused where it is read, with advice.
  "expert_count",
  "attention.head_count",
  "attention.head_count_kv",
  "attention.key_length",
  "attention.value_length",
  "attention.scale",
  "attention.sliding_window",
  // One of the two is read, by the form of the architecture's norms; some converters write both.
  "attention.layer_norm_epsilon",
  "attention.layer_norm_rms_epsilon",
  "rope.dimension_count",
  "rope.freq_base",
  "rope.scale_linear",
  "rope.scaling.type",
  "rope.scaling.factor",
  "rope.scaling.attn_factor",
  "rope.scaling.original_context_length",
  "rope.scaling.finetuned",
  "rope.scaling.yarn_beta_fast",
  "rope.scaling.yarn_beta_slow",
]);

/** Factors, and counts of things of which every model has one: 1 changes nothing. */
const neutralAtOne: ReadonlySet<string> = new Set([
  "logit_scale",
  "embedding_scale",
  "residual_scale",
  "expert_weights_scale",
  "expert_group_count",
  "moe_every_n_layers",
  "num_loops",
  "attention.output_scale",
  "attention.value_scale",
  "attention.sliding_window_pattern",
  "rope.scaling.alpha",
  "rope.scaling.yarn_ext_factor",
  "rope.scaling.yarn_attn_factor",
]);

/** @throws UnsupportedError with the keys and their values, cut to one line. */
export function refuseKeys(
  gguf: GgufFile,
  architecture: Architecture,
  asked: ReadonlySet<string>,
): void {
  const prefix = `${architecture.name}.`;
  const refused: string[] = [];
  for (const [key, value] of gguf.metadata.entries()) {
    if (!key.startsWith(prefix)) continue;
    const name = key.slice(prefix.length);
    if (accepted.has(name) || asked.has(name)) continue;
    if (isNeutral(name, value, architecture)) continue;
    refused.push(`${key}: ${describeMetadataValue(value)}`);
  }
  if (refused.length === 0) return;
  throw new UnsupportedError(
    `${gguf.path}: a model whose metadata changes what architecture ${architecture.name} computes (${listed(refused)})`,
    ["models without such keys"],
    "Answers that ignore them would be wrong",
  );
}

/** An adapter or a vision part may name the architecture of the model that it belongs to, and is none. */
export function refuseAdapters({ metadata, path }: GgufFile): void {
  const type = metadata.optionalString("general.type") ?? "model";
  const isAdapter = [...metadata.entries()].some(([key]) => key.startsWith("adapter."));
  if (type === "model" && !isAdapter) return;
  const found = isAdapter ? "an adapter" : `general.type "${type}"`;
  const remedy = isAdapter ? "Merge it into its model" : "Give the model itself";
  throw new UnsupportedError(`${path}: a file of ${found}`, ["model"], remedy);
}

function isNeutral(name: string, value: MetadataValue, architecture: Architecture): boolean {
  switch (name) {
    case "attention.causal":
      return value.kind === "boolean" && value.value;
    case "use_parallel_residual":
      return value.kind === "boolean" && value.value === architecture.parallelResidual;
    case "tensor_data_layout":
      return value.kind === "string" && isKnownLayout(value.value, architecture);
    case "hidden_activation":
      return value.kind === "string" && hasActivation(value.value, architecture);
    case "pooling_type":
      return isAll(value, (number) => number <= 1 || number === 3);
    default:
      return isAll(value, (number) => number === 0 || (number === 1 && neutralAtOne.has(name)));
  }
}

function hasActivation(kind: string, { activation, otherActivation }: Architecture): boolean {
  return kind === activation.kind || kind === otherActivation?.kind;
}

/** "reference" is the specification's word for: as the model was published. */
function isKnownLayout(layout: string, { dataLayouts }: Architecture): boolean {
  return layout === "reference" || dataLayouts.includes(layout);
}

/** Whether each number of the value is so; false is 0, true 1. A text is not a number: only an empty one says nothing. */
function isAll(value: MetadataValue, test: (number: number) => boolean): boolean {
  switch (value.kind) {
    case "number":
      return test(value.value);
    case "long":
      return test(Number(value.value));
    case "boolean":
      return test(Number(value.value));
    case "string":
      return value.value === "";
    case "numbers":
      return Array.from(value.values, Number).every(test);
    case "booleans":
      return Array.from(value.values).every(test);
    case "strings":
    case "arrays":
      return value.values.length === 0;
    default:
      return value satisfies never;
  }
}
