/** What a GGUF file is, from its headers alone: works for any GGUF, also one that hearth cannot run. */
import { HearthError } from "../core/errors.ts";
import type { Bytes, Elements, Tokens } from "../core/units.ts";
import { fileTypeName } from "../gguf/file-type.ts";
import { type GgufFile, openGguf, readGgufPart } from "../gguf/open.ts";
import { describeMetadataValue, type SingleValue, singleValue } from "../gguf/value.ts";
import { memoryOfProcess } from "../io/cgroup.ts";
import { cacheShape } from "../model/cache-shape.ts";
import { describeModel, type ModelDescription } from "../model/describe.ts";
import { openModel } from "../model/model.ts";
import { type KvType, kvBytes } from "../ops/kv-shape.ts";
import { createTokenizer, type Tokenizer } from "../text/tokenizer.ts";
import { type ExpertUse, expertUse } from "./expert-use.ts";

export interface Inspection {
  readonly path: string;
  readonly magic: string;
  readonly version: number;
  readonly architecture: string;
  /** What people call its precision: "Q4_K_M". */
  readonly fileType: string;
  readonly parameters: Elements;
  readonly fileBytes: Bytes;
  readonly contextLength: Tokens | undefined;
  /** Of a mixture of experts: how much of it a token reads. */
  readonly experts: ExpertUse | undefined;
  readonly tensors: readonly InspectedTensor[];
  /** Keys and short descriptions of their values, in the order of the file. */
  readonly metadata: readonly (readonly [string, string])[];
  /** Those of them that are one text, number or truth value; whole numbers beyond 2^53 are the nearest that a number can be. */
  readonly values: ReadonlyMap<string, SingleValue>;
  /** Hearth can run the model, which is then described; else `reason` says in a sentence why not. */
  readonly runs: boolean;
  readonly model?: ModelDescription;
  readonly reason?: string;
  /** Memory that this process may have at most. A model that takes more is read from disk again and again. */
  readonly memoryBytes: Bytes;
  /** Bytes of the KV cache of one sequence, with the checkpoints that an engine keeps by itself; undefined when hearth cannot run the model. */
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

/**
 * Of a file that hearth cannot run, all that its header says. @throws FileFormatError, FileAccessError where the file has
 * no header that can be read.
 */
export function inspectModel(path: string): Inspection {
  const { gguf, ...opened } = openAny(path);
  const { model } = opened;
  const tensors = [...gguf.tensors.values()];
  const architecture = gguf.metadata.optionalString("general.architecture") ?? "unknown";
  return {
    path,
    magic: gguf.magic,
    version: gguf.version,
    architecture,
    fileType: fileTypeName(gguf.metadata, tensors),
    parameters: tensors.reduce((sum, { dimensions }) => sum + product(dimensions), 0),
    fileBytes: gguf.files.reduce((sum, file) => sum + file.bytes, 0),
    contextLength: gguf.metadata.optionalNumber(`${architecture}.context_length`),
    experts: expertUse(gguf),
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
    values: new Map(
      [...gguf.metadata.entries()].flatMap(([key, value]) => {
        const single = singleValue(value);
        return single === undefined ? [] : [[key, single]];
      }),
    ),
    runs: model !== undefined,
    ...opened,
    memoryBytes: memoryOfProcess(),
    kvCacheBytes: (contextLength, kvType) => {
      const limits = {
        contextLength,
        sequences: 1,
        maxRows: inspectedRows,
        kvType,
        checkpoints: "auto",
      } as const;
      return model && kvBytes(cacheShape(model.hyperparameters, limits));
    },
  };
}

type Opened = Pick<Inspection, "model" | "reason"> & {
  readonly gguf: Omit<GgufFile, "fingerprint">;
};

/** Whole where it can be; else the header of the named file, with what stood in the way. */
function openAny(path: string): Opened {
  const whole = attempt(() => openGguf(path));
  if (whole.value === undefined) return { gguf: readGgufPart(path), reason: whole.reason };
  const gguf = whole.value;
  const described = attempt(() => {
    const model = openModel(gguf);
    createTokenizer(gguf.metadata, model.vocabulary);
    return describeModel(model);
  });
  if (described.value === undefined) return { gguf, reason: described.reason };
  return { gguf, model: described.value };
}

type Attempt<Value> =
  | { readonly value: Value }
  | { readonly value: undefined; readonly reason: string };

function attempt<Value>(make: () => Value): Attempt<Value> {
  try {
    return { value: make() };
  } catch (error) {
    if (error instanceof HearthError) return { value: undefined, reason: error.message };
    throw error;
  }
}

/** The tokenizer of any GGUF that has a vocabulary, with or without weights. */
export function openTokenizer(path: string): Tokenizer {
  const { metadata, tensors } = openGguf(path);
  return createTokenizer(metadata, tensors.get("token_embd.weight")?.dimensions[1]);
}

function product(dimensions: readonly number[]): number {
  return dimensions.reduce((all, dimension) => all * dimension, 1);
}
