/**
 * Changes a sidecar, or makes one: what the changes do not name stays, also what this version does not know.
 * The new file gets its name when it is complete, so a reader sees the old one or the new one.
 */
import { existsSync } from "node:fs";
import type { GgufFile } from "../../gguf/open.ts";
import type { TensorInfo } from "../../gguf/tensor-info.ts";
import { type MetadataValue, metadataValue } from "../../gguf/value.ts";
import { type TensorToWrite, writeGguf } from "../../gguf/write.ts";
import { withFileLock } from "../../io/file-lock.ts";
import { readPieces } from "../../io/tensor-bytes.ts";
import {
  channelsName,
  columnNormsName,
  keys,
  type LayerTensor,
  sidecarArchitecture,
  sidecarVersion,
  signRowBytes,
  tensorName,
} from "./names.ts";
import { findSidecar, openSidecarFile } from "./read.ts";
import {
  channelMatrices,
  columnPlaces,
  type MatrixToWrite,
  type Sidecar,
  type SidecarChanges,
  type SidecarModel,
} from "./sidecar.ts";
import { factEntries } from "./write-facts.ts";

/** Changes that depend on what is in the file at the moment when nobody else writes it. */
type ChangesTo = (current: Sidecar | undefined) => SidecarChanges;

/**
 * One writer at a time: others wait, then change what this one has written.
 * @throws FileFormatError when the file is there and is no sidecar of this model; ShapeError for data of a wrong length;
 * FileAccessError where it cannot be written.
 */
export function updateSidecar(
  path: string,
  model: SidecarModel,
  changes: SidecarChanges | ChangesTo,
): Promise<void> {
  return withFileLock(path, () => {
    const wanted = typeof changes === "function" ? changes(findSidecar(path, model)) : changes;
    return writeChanges(path, model, wanted);
  });
}

async function writeChanges(
  path: string,
  model: SidecarModel,
  changes: SidecarChanges,
): Promise<void> {
  const old = existsSync(path) ? openSidecarFile(path, model) : undefined;
  const tensors = new Map<string, TensorToWrite>(
    [...(old?.tensors ?? [])].map(([name, tensor]) => [name, copied(tensor)]),
  );
  if (changes.channels === "none") {
    for (const name of channelNamesOf(model)) tensors.delete(name);
  }
  for (const tensor of changedTensors(model, changes)) tensors.set(tensor.name, tensor);
  await writeGguf({
    path,
    metadata: changedMetadata(old, model, changes),
    tensors: tensors.values(),
  });
}

function changedMetadata(
  old: GgufFile | undefined,
  model: SidecarModel,
  changes: SidecarChanges,
): ReadonlyMap<string, MetadataValue> {
  const metadata = new Map<string, MetadataValue>(old?.metadata.entries() ?? []);
  metadata.set("general.architecture", metadataValue.string(sidecarArchitecture));
  metadata.set(keys.version, metadataValue.u32(sidecarVersion));
  metadata.set(keys.model, metadataValue.string(model.fingerprint));
  const layers = model.neurons.length;
  for (const [key, value] of factEntries(changes, { old, layers })) metadata.set(key, value);
  return metadata;
}

function changedTensors(model: SidecarModel, changes: SidecarChanges): readonly TensorToWrite[] {
  const { dim } = model;
  const tensors: TensorToWrite[] = [];
  const push = (layer: number, tensor: LayerTensor, rest: Omit<TensorToWrite, "name">): void => {
    tensors.push({ name: tensorName(layer, tensor), ...rest });
  };
  for (const [layer, counts] of changes.profile?.counts.entries() ?? []) {
    push(layer, "counts", vector("F64", counts));
  }
  for (const [layer, counts] of changes.learnt?.counts.entries() ?? []) {
    push(layer, "learntCounts", vector("F64", counts));
  }
  for (const [layer, experts] of changes.experts?.layers.entries() ?? []) {
    if (experts === undefined) continue;
    push(layer, "expertCounts", vector("F64", experts.counts));
    push(layer, "expertWeights", vector("F64", experts.weights));
  }
  for (const [layer, norms] of changes.downNorms?.entries() ?? []) {
    push(layer, "downNorms", vector("F32", norms));
  }
  for (const [layer, margins] of changes.signMargins?.entries() ?? []) {
    push(layer, "signMargins", vector("F32", margins));
  }
  for (const [layer, centre] of changes.signCentres?.entries() ?? []) {
    push(layer, "signCentre", vector("F32", centre));
  }
  for (const [layer, rows] of changes.downRows ?? []) push(layer, "downRows", matrix(rows));
  for (const [layer, predictor] of changes.predictors ?? []) {
    push(layer, "fc1", matrix(predictor.fc1));
    push(layer, "fc2", matrix(predictor.fc2));
  }
  for (const [layer, signs] of changes.signs ?? []) {
    const dimensions = [signRowBytes(dim), model.neurons[layer] ?? 0];
    push(layer, "signs", { type: "I8", dimensions, data: () => [signs] });
  }
  return [...tensors, ...inputTensors(changes)];
}

/** What masks of inputs need. */
function inputTensors({ columnNorms, channels }: SidecarChanges): readonly TensorToWrite[] {
  const tensors: TensorToWrite[] = [];
  for (const [layer, norms] of columnNorms?.entries() ?? []) {
    for (const place of columnPlaces) {
      tensors.push({ name: columnNormsName(layer, place), ...vector("F32", norms[place]) });
    }
  }
  for (const [layer, copies] of channels === "none" ? [] : (channels ?? [])) {
    for (const name of channelMatrices) {
      const copy = copies[name];
      if (copy !== undefined) tensors.push({ name: channelsName(layer, name), ...matrix(copy) });
    }
  }
  return tensors;
}

function channelNamesOf({ neurons }: SidecarModel): readonly string[] {
  return neurons.flatMap((_, layer) => channelMatrices.map((name) => channelsName(layer, name)));
}

function vector(
  type: "F32" | "F64",
  values: Float32Array | Float64Array,
): Omit<TensorToWrite, "name"> {
  const { buffer, byteOffset, byteLength } = values;
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  return { type, dimensions: [values.length], data: () => [bytes] };
}

function matrix({ type, rows, columns, data }: MatrixToWrite): Omit<TensorToWrite, "name"> {
  return { type, dimensions: [columns, rows], data };
}

function copied(tensor: TensorInfo): TensorToWrite {
  const { name, type, dimensions } = tensor;
  return { name, type, dimensions, data: () => readPieces(tensor, 1 << 20) };
}
