/**
 * Writes a model again with its matrices in another type, tensor by tensor and piece by piece: memory for one piece,
 * and the event loop runs between pieces.
 */
import { statSync } from "node:fs";
import {
  checkOptions,
  checkValue,
  choiceRule,
  functionRule,
  type OptionRules,
  pathRule,
} from "../core/check-options.ts";
import { isWeightType, type WeightType, weightFormat, weightTypes } from "../core/dtype.ts";
import { FileFormatError, OptionError, UnsupportedError } from "../core/errors.ts";
import { checkReplaceable } from "../io/replace-file.ts";
import { readPieces } from "../io/tensor-bytes.ts";
import type { Codec } from "../quant/codec.ts";
import { quantCodec } from "../quant/codecs.ts";
import { type GgufFile, openGguf } from "./open.ts";
import {
  chooseType,
  fileTypeOf,
  type ModelShape,
  type QuantisedType,
  quantisedTypes,
} from "./quantize-recipe.ts";
import type { TensorInfo } from "./tensor-info.ts";
import { type MetadataValue, metadataValue } from "./value.ts";
import { type TensorToWrite, writeGguf } from "./write.ts";

export interface QuantizeOptions {
  /** A model, or any part of a split one. */
  readonly input: string;
  /** Becomes one file, whatever the input was. An existing file is replaced once the new one is complete. */
  readonly output: string;
  readonly type: QuantisedType;
  readonly onProgress?: (progress: QuantizeProgress) => void;
}

interface QuantizeProgress {
  /** The tensor at work. */
  readonly name: string;
  /** Of the input's tensors. */
  readonly bytesDone: number;
  readonly bytesTotal: number;
}

interface QuantizedTensor {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  /** Why it is not of the type asked for, or that it has been quantised before. */
  readonly reason?: string;
}

export interface QuantizeResult {
  readonly tensors: readonly QuantizedTensor[];
  /** Of all tensors. */
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

/** ggml's GGML_QNT_VERSION: the layouts of quant/. */
const quantizationVersion = 2;

/** Blocks are 1, 32 or 256 elements. 64 Ki of the slowest (Q6_K, 110 ns each) hold the event loop for 7 ms. */
const pieceElements = 65536;

/** Larger values would round to an infinite binary16. */
const largestHalf = 65520;

const quantizeRules: OptionRules<QuantizeOptions> = {
  input: pathRule,
  output: pathRule,
  type: choiceRule(quantisedTypes),
  onProgress: functionRule,
};

/** @throws OptionError, UnsupportedError, FileFormatError before anything is written; nothing is left after a failure. */
export async function quantizeModel(options: QuantizeOptions): Promise<QuantizeResult> {
  checkOptions(options, quantizeRules, "quantize");
  checkValue(options.output, "output", pathRule);
  checkValue(options.type, "type", quantizeRules.type);
  const model = openGguf(options.input);
  checkOutput(model, options.output);
  const sources = [...model.tensors.values()];
  const shape = shapeOf(model);
  const choices = sources.map((tensor) => ({
    tensor,
    choice: chooseType(tensor, options.type, shape),
  }));
  const plans = choices.map(({ tensor, choice }) => planTensor(tensor, choice));
  const bytesTotal = sumOf(sources.map((tensor) => tensor.bytes));
  let bytesDone = 0;
  const tensors = plans.map((plan) =>
    toWrite(plan, (pieceBytes) => {
      bytesDone += pieceBytes;
      options.onProgress?.({ name: plan.tensor.name, bytesDone, bytesTotal });
    }),
  );
  const metadata = newMetadata(model, options.type);
  await writeGguf({ path: options.output, metadata, tensors, magic: model.magic });
  return {
    tensors: plans.map((plan) => plan.report),
    bytesBefore: bytesTotal,
    bytesAfter: sumOf(plans.map((plan) => plan.bytes)),
  };
}

function checkOutput(model: GgufFile, output: string): void {
  checkReplaceable(output);
  const isInput = model.files.some((file) => isSameFile(file.path, output));
  if (isInput) throw new OptionError("output", output, "another file than the input");
}

/** Also by another name: a link, a hard link, other capitals where the file system does not mind. */
function isSameFile(one: string, other: string): boolean {
  const [a, b] = [one, other].map((path) =>
    statSync(path, { bigint: true, throwIfNoEntry: false }),
  );
  return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino;
}

function shapeOf(model: GgufFile): ModelShape {
  const layers = [...model.tensors.keys()].map((name) =>
    Number(/^blk\.(\d+)\./.exec(name)?.[1] ?? -1),
  );
  return {
    architecture: model.metadata.optionalString("general.architecture") ?? "",
    layerCount: layers.reduce((most, layer) => Math.max(most, layer + 1), 0),
    hasOutput: model.tensors.has("output.weight"),
  };
}

interface TensorPlan {
  readonly tensor: TensorInfo;
  /** Undefined: the bytes are copied. */
  readonly conversion: { readonly from: Codec; readonly to: Codec } | undefined;
  readonly bytes: number;
  readonly report: QuantizedTensor;
}

function planTensor(
  tensor: TensorInfo,
  choice: { readonly type: string; readonly reason?: string },
): TensorPlan {
  const { name, type: from } = tensor;
  const { type: to } = choice;
  if (from === to) {
    return {
      tensor,
      conversion: undefined,
      bytes: tensor.bytes,
      report: { name, from, ...optional(choice.reason), to },
    };
  }
  if (!(isWeightType(from) && isWeightType(to))) {
    throw new UnsupportedError(`tensor ${name} of type ${from}`, weightTypes);
  }
  const conversion = { from: quantCodec(from), to: quantCodec(to) };
  const elements = tensor.dimensions.reduce((product, length) => product * length, 1);
  const bytes = (elements / conversion.to.blockElements) * conversion.to.blockBytes;
  const again = wasQuantised(from) ? `was ${from}: both roundings add up` : undefined;
  const reason = [choice.reason, again].filter((part) => part !== undefined).join("; ");
  return { tensor, conversion, bytes, report: { name, from, to, ...optional(reason) } };
}

function optional(reason: string | undefined): { readonly reason?: string } {
  return reason ? { reason } : {};
}

function wasQuantised(type: WeightType): boolean {
  return weightFormat(type).codes !== "float";
}

function newMetadata(model: GgufFile, type: QuantisedType): ReadonlyMap<string, MetadataValue> {
  const entries = [...model.metadata.entries()].filter(([key]) => !key.startsWith("split."));
  const metadata = new Map(entries);
  metadata.set("general.file_type", metadataValue.u32(fileTypeOf(type)));
  metadata.set("general.quantization_version", metadataValue.u32(quantizationVersion));
  return metadata;
}

function toWrite(plan: TensorPlan, onPiece: (bytes: number) => void): TensorToWrite {
  const { tensor, conversion } = plan;
  const { name, dimensions } = tensor;
  const data =
    conversion === undefined ? copied(tensor, onPiece) : converted(tensor, conversion, onPiece);
  return { name, type: plan.report.to, dimensions, data };
}

function copied(tensor: TensorInfo, onPiece: (bytes: number) => void): () => Iterable<Uint8Array> {
  return function* () {
    for (const piece of readPieces(tensor, 1 << 20)) {
      yield piece;
      onPiece(piece.length);
    }
  };
}

function converted(
  tensor: TensorInfo,
  { from, to }: { readonly from: Codec; readonly to: Codec },
  onPiece: (bytes: number) => void,
): () => Iterable<Uint8Array> {
  return function* () {
    const values = new Float32Array(pieceElements);
    const target = new Uint8Array((pieceElements / to.blockElements) * to.blockBytes);
    const pieceBytes = (pieceElements / from.blockElements) * from.blockBytes;
    for (const piece of readPieces(tensor, pieceBytes)) {
      const blocks = piece.length / from.blockBytes;
      const elements = blocks * from.blockElements;
      from.dequantise(piece, 0, values, 0, blocks);
      checkValues(tensor, values.subarray(0, elements), to);
      const targetBlocks = elements / to.blockElements;
      to.quantise(values, 0, target, 0, targetBlocks);
      yield target.subarray(0, targetBlocks * to.blockBytes);
      onPiece(piece.length);
    }
  };
}

/** A NaN or an infinity spoils its whole block, so the model is refused instead. */
function checkValues(tensor: TensorInfo, values: Float32Array, to: Codec): void {
  const limit = to.type === "F16" ? largestHalf : Number.POSITIVE_INFINITY;
  for (const value of values) {
    if (Math.abs(value) < limit) continue;
    throw new FileFormatError({
      file: tensor.path,
      where: `tensor ${tensor.name}`,
      found: `the value ${value}`,
      expected: `finite values that ${to.type} can hold`,
      offset: tensor.offset,
    });
  }
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
