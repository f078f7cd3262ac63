/**
 * Writes a model again with its matrices in another type, tensor by tensor and piece by piece: memory for a few pieces,
 * while the event loop runs. How blocks are converted is the caller's (commands/quantize.ts).
 */
import { statSync } from "node:fs";
import {
  isWeightType,
  rowBytes,
  type WeightType,
  weightFormat,
  weightTypes,
} from "../core/dtype.ts";
import { FileFormatError, OptionError, UnsupportedError } from "../core/errors.ts";
import { checkReplaceable } from "../io/replace-file.ts";
import type { ColumnImportance, ConvertBlocks } from "../quant/convert-blocks.ts";
import { type ImportanceMatrix, importanceOf } from "./importance-matrix.ts";
import { type GgufFile, openGguf } from "./open.ts";
import { PieceLine, type PieceToMake } from "./piece-line.ts";
import { chooseType, fileTypeOf, type ModelShape, type QuantisedType } from "./quantize-recipe.ts";
import type { TensorInfo } from "./tensor-info.ts";
import { type MetadataValue, metadataValue } from "./value.ts";
import { type TensorToWrite, writeGguf } from "./write.ts";

export interface ModelToQuantise {
  /** A model, or any part of a split one. */
  readonly input: string;
  /** Becomes one file, whatever the input was. An existing file is replaced once the new one is complete. */
  readonly output: string;
  readonly type: QuantisedType;
  /** All matrices alike, whatever they do. */
  readonly isPure: boolean;
  /** Where it is known how much the error of each column matters. */
  readonly importance?: ImportanceMatrix | undefined;
  readonly convert: ConvertBlocks;
  readonly onProgress?: ((progress: QuantizeProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface QuantizeProgress {
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

/** Whole blocks of every type. 4 MiB of float32: a few milliseconds of work for two threads, and three such are under way. */
const pieceElements = 1 << 20;

/** @throws OptionError, UnsupportedError, FileFormatError before anything is written; nothing is left after a failure. */
export async function quantiseModel(request: ModelToQuantise): Promise<QuantizeResult> {
  const { input, output, importance } = request;
  const model = openGguf(input);
  checkOutput(model, output);
  const sources = [...model.tensors.values()];
  const shape = { ...shapeOf(model), hasImportance: importance !== undefined };
  const plans = sources.map((tensor) => ({
    ...planTensor(tensor, chooseType(tensor, request, shape)),
    importance: importanceOf(importance, tensor),
  }));
  checkImportance(importance, plans);
  await write(model, plans, request);
  return {
    tensors: plans.map((plan) => plan.report),
    bytesBefore: sumOf(sources.map((tensor) => tensor.bytes)),
    bytesAfter: sumOf(plans.map((plan) => plan.bytes)),
  };
}

async function write(
  model: GgufFile,
  plans: readonly TensorPlan[],
  { output, type, convert, onProgress, signal }: ModelToQuantise,
): Promise<void> {
  const bytesTotal = sumOf(plans.map(({ tensor }) => tensor.bytes));
  let bytesDone = 0;
  using line = new PieceLine(plans.flatMap((plan) => piecesOf(plan, convert)));
  const data = async function* (plan: TensorPlan): AsyncGenerator<Uint8Array> {
    const pieces = piecesOf(plan, convert);
    let next = 0;
    for await (const piece of line.take(pieces.length)) {
      signal?.throwIfAborted();
      yield piece;
      bytesDone += pieces[next++]?.bytes ?? 0;
      onProgress?.({ name: plan.tensor.name, bytesDone, bytesTotal });
    }
  };
  const tensors = plans.map((plan): TensorToWrite => {
    const { name, dimensions } = plan.tensor;
    return { name, type: plan.report.to, dimensions, data: () => data(plan) };
  });
  const metadata = newMetadata(model, type);
  try {
    await writeGguf({ path: output, metadata, tensors, magic: model.magic, isMadeAgain: true });
  } finally {
    await line.settled();
  }
}

function checkImportance(
  importance: ImportanceMatrix | undefined,
  plans: readonly TensorPlan[],
): void {
  if (importance === undefined || plans.some((plan) => plan.importance !== undefined)) return;
  const [first = ""] = importance.keys();
  throw new OptionError("imatrix", `${first} and others`, "matrices of the model to be quantised");
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

function shapeOf(model: GgufFile): Omit<ModelShape, "hasImportance"> {
  const layers = [...model.tensors.keys()].map((name) =>
    Number(/^blk\.(\d+)\./.exec(name)?.[1] ?? -1),
  );
  const architecture = model.metadata.optionalString("general.architecture") ?? "";
  const [heads, groups] = ["head_count", "head_count_kv"].map((key) =>
    firstNumber(model, `${architecture}.attention.${key}`),
  );
  return {
    architecture,
    expertCount: firstNumber(model, `${architecture}.expert_count`) ?? 1,
    headsPerGroup: Math.floor((heads ?? 1) / Math.max(1, groups ?? heads ?? 1)),
    layerCount: layers.reduce((most, layer) => Math.max(most, layer + 1), 0),
    hasOutput: model.tensors.has("output.weight"),
  };
}

/** Of a number, or of a list with one for each layer. */
function firstNumber({ metadata }: GgufFile, key: string): number | undefined {
  const entry = new Map(metadata.entries()).get(key);
  return entry?.kind === "numbers"
    ? Number(metadata.numbers(key)[0] ?? 1)
    : metadata.optionalNumber(key);
}

interface TensorPlan {
  readonly tensor: TensorInfo;
  /** Undefined: the bytes are copied. */
  readonly conversion: { readonly from: WeightType; readonly to: WeightType } | undefined;
  readonly bytes: number;
  readonly report: QuantizedTensor;
  /** What its columns matter, one matrix after another, or the same for all. */
  readonly importance?: Float32Array | undefined;
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
  const bytes = rowBytes(to, elementsOf(tensor));
  const again = wasQuantised(from) ? `was ${from}: both roundings add up` : undefined;
  const reason = [choice.reason, again].filter((part) => part !== undefined).join("; ");
  return {
    tensor,
    conversion: { from, to },
    bytes,
    report: { name, from, to, ...optional(reason) },
  };
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

function piecesOf(
  { tensor, conversion, importance }: TensorPlan,
  convert: ConvertBlocks,
): PieceToMake[] {
  const { path, type } = tensor;
  return cuts(tensor, importance !== undefined).map(({ first, elements }): PieceToMake => {
    const place = {
      path,
      offset: tensor.offset + rowBytes(type, first),
      bytes: rowBytes(type, elements),
    };
    if (conversion === undefined) return place;
    const known = importance && columnsAt(tensor, importance, first);
    const make = async (source: Uint8Array, target: Uint8Array): Promise<void> => {
      const refused = await convert({ ...conversion, source, target, elements, importance: known });
      if (refused !== undefined) throw refusal(tensor, conversion.to, refused);
    };
    return { ...place, target: { bytes: rowBytes(conversion.to, elements), make } };
  });
}

/** A piece is of one matrix where matrices differ. */
function cuts(
  tensor: TensorInfo,
  byMatrix: boolean,
): { readonly first: number; readonly elements: number }[] {
  const total = elementsOf(tensor);
  const [columns = 1, rows = 1] = tensor.dimensions;
  const part = byMatrix ? columns * rows : total;
  return Array.from({ length: total / part }, (_, i) => i * part).flatMap((begin) =>
    Array.from({ length: Math.ceil(part / pieceElements) }, (_, i) => ({
      first: begin + i * pieceElements,
      elements: Math.min(pieceElements, part - i * pieceElements),
    })),
  );
}

function columnsAt(
  { dimensions }: TensorInfo,
  importance: Float32Array,
  first: number,
): ColumnImportance {
  const [columns = 1, rows = 1] = dimensions;
  const matrix = importance.length === columns ? 0 : Math.floor(first / (columns * rows));
  return {
    columns: importance.subarray(matrix * columns, (matrix + 1) * columns),
    first: first % columns,
  };
}

function elementsOf({ dimensions }: TensorInfo): number {
  return dimensions.reduce((product, length) => product * length, 1);
}

/** A NaN or an infinity spoils its whole block, so the model is refused instead. */
function refusal(tensor: TensorInfo, to: WeightType, value: number): FileFormatError {
  return new FileFormatError({
    file: tensor.path,
    where: `tensor ${tensor.name}`,
    found: `the value ${value}`,
    expected: `finite values that ${to} can hold`,
    offset: tensor.offset,
  });
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
