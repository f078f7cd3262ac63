/** What a GGUF file is, from its headers alone: works for any GGUF, also one that hearth cannot run. */
import { HearthError } from "../core/errors.ts";
import type { Bytes, Elements, Tokens } from "../core/units.ts";
import { type GgufFile, openGguf } from "../gguf/open.ts";
import { describeMetadataValue } from "../gguf/value.ts";
import { cacheShape } from "../model/cache-shape.ts";
import { describeModel, type ModelDescription } from "../model/describe.ts";
import { openModel } from "../model/model.ts";
import { type KvType, kvBytes } from "../ops/kv-shape.ts";
import { createTokenizer, type Tokenizer } from "../text/tokenizer.ts";

export interface Inspection {
  readonly path: string;
  readonly magic: string;
  readonly version: number;
  readonly architecture: string;
  readonly parameters: Elements;
  readonly fileBytes: Bytes;
  readonly contextLength: Tokens | undefined;
  readonly tensors: readonly InspectedTensor[];
  /** Keys and short descriptions of their values, in the order of the file. */
  readonly metadata: readonly (readonly [string, string])[];
  /** Present when hearth can run the model; else `problem` says why not. */
  readonly model?: ModelDescription;
  readonly problem?: string;
  /** Bytes of the KV cache of one sequence; undefined when hearth cannot run the model. */
  kvCacheBytes(contextLength: Tokens, type: KvType): Bytes | undefined;
}

export interface InspectedTensor {
  readonly name: string;
  readonly type: string;
  readonly dimensions: readonly number[];
  readonly bytes: Bytes;
}

/** Rows of a step as an engine has them by default: a layer with a window holds them besides. */
const inspectedRows = 128;

/** @throws FileFormatError unless the file is a sound GGUF. */
export function inspectModel(path: string): Inspection {
  const gguf = openGguf(path);
  const tensors = [...gguf.tensors.values()];
  const architecture = gguf.metadata.optionalString("general.architecture") ?? "unknown";
  const opened = tryOpen(gguf);
  return {
    path,
    magic: gguf.magic,
    version: gguf.version,
    architecture,
    parameters: tensors.reduce((sum, { dimensions }) => sum + product(dimensions), 0),
    fileBytes: gguf.files.reduce((sum, file) => sum + file.bytes, 0),
    contextLength: gguf.metadata.optionalNumber(`${architecture}.context_length`),
    tensors: tensors.map(({ name, type, dimensions, bytes }) => ({
      name,
      type,
      dimensions,
      bytes,
    })),
    metadata: [...gguf.metadata.entries()].map(([key, value]) => [
      key,
      describeMetadataValue(value),
    ]),
    ...opened,
    kvCacheBytes: (contextLength, kvType) => {
      const limits = { contextLength, sequences: 1, maxRows: inspectedRows, kvType };
      return opened.model && kvBytes(cacheShape(opened.model.hyperparameters, limits));
    },
  };
}

/** The tokenizer of any GGUF that has a vocabulary, with or without weights. */
export function openTokenizer(path: string): Tokenizer {
  const { metadata, tensors } = openGguf(path);
  return createTokenizer(metadata, tensors.get("token_embd.weight")?.dimensions[1]);
}

function tryOpen(gguf: GgufFile): Pick<Inspection, "model" | "problem"> {
  try {
    return { model: describeModel(openModel(gguf)) };
  } catch (error) {
    if (error instanceof HearthError) return { problem: error.message };
    throw error;
  }
}

function product(dimensions: readonly number[]): number {
  return dimensions.reduce((all, dimension) => all * dimension, 1);
}
