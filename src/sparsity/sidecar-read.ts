/** Opens a sidecar: it must be of this version and of this model, and everything in it must fit the model's shape. */
import { existsSync } from "node:fs";
import { isWeightType, weightTypes } from "../core/dtype.ts";
import { FileFormatError } from "../core/errors.ts";
import { type GgufFile, openGguf } from "../gguf/open.ts";
import type { TensorInfo } from "../gguf/tensor-info.ts";
import { readTensorBytes } from "../io/tensor-bytes.ts";
import type { Weight } from "../ops/op.ts";
import type { Sidecar, SidecarModel } from "./sidecar.ts";
import {
  keys,
  type LayerTensor,
  sidecarArchitecture,
  sidecarVersion,
  signRowBytes,
  tensorName,
} from "./sidecar-names.ts";
import { readFacts } from "./sidecar-read-facts.ts";

/** The sidecar at this path, or undefined when there is no file. @throws as openSidecar */
export function findSidecar(path: string, model: SidecarModel): Sidecar | undefined {
  return existsSync(path) ? openSidecar(path, model) : undefined;
}

/** @throws FileFormatError for a missing or damaged file, a sidecar of another model or of another version. */
export function openSidecar(path: string, model: SidecarModel): Sidecar {
  return readSidecar(openSidecarFile(path, model), model);
}

/** The file alone, known to be this model's. */
export function openSidecarFile(path: string, model: SidecarModel): GgufFile {
  const gguf = openGguf(path);
  const refuse = (key: string, found: string, expected: string): never => {
    throw new FileFormatError({ file: path, where: `metadata key ${key}`, found, expected });
  };
  const architecture = gguf.metadata.optionalString("general.architecture") ?? "nothing";
  if (architecture !== sidecarArchitecture) {
    refuse("general.architecture", architecture, `${sidecarArchitecture}: this is no sidecar`);
  }
  const version = gguf.metadata.number(keys.version);
  if (version !== sidecarVersion) {
    const advice = "make it again with hearth prepare";
    refuse(keys.version, `version ${version}`, `version ${sidecarVersion}; ${advice}`);
  }
  const fingerprint = gguf.metadata.string(keys.model);
  if (fingerprint !== model.fingerprint) {
    const found = `the sidecar of another model (${fingerprint.slice(0, 12)}…)`;
    const expected = `that of this model (${model.fingerprint.slice(0, 12)}…); delete it, or name another sidecar`;
    refuse(keys.model, found, expected);
  }
  return gguf;
}

function readSidecar(gguf: GgufFile, model: SidecarModel): Sidecar {
  const tensors = new SidecarTensors(gguf, model);
  const facts = readFacts(gguf, {
    layers: model.neurons.length,
    counts: tensors.counts("counts"),
    learnt: tensors.counts("learntCounts"),
  });
  const downNorms = tensors.allLayers("downNorms", "F32");
  const signMargins = tensors.allLayers("signMargins", "F32");
  const signCentres = tensors.allLayers("signCentre", "F32");
  const { predictorFacts, ...rest } = facts;
  return {
    path: gguf.path,
    ...rest,
    downRows: tensors.eachLayer((layer) => tensors.matrix(layer, "downRows")),
    ...(downNorms && { downNorms: downNorms.map(floats) }),
    predictors: tensors.eachLayer((layer) => {
      const fc1 = tensors.matrix(layer, "fc1");
      if (fc1 === undefined) return undefined;
      const fc2 = tensors.matrix(layer, "fc2", fc1.rows);
      return fc2 && { fc1, fc2, ...predictorFacts(layer) };
    }),
    signs: tensors.eachLayer((layer) => tensors.bytes(layer, "signs", "I8")),
    ...(signMargins && { signMargins: signMargins.map(floats) }),
    ...(signCentres && { signCentres: signCentres.map(floats) }),
  };
}

/** Tensors by layer, each checked against the model's shape. */
class SidecarTensors {
  readonly #gguf: GgufFile;
  readonly #model: SidecarModel;

  constructor(gguf: GgufFile, model: SidecarModel) {
    this.#gguf = gguf;
    this.#model = model;
  }

  eachLayer<Value>(read: (layer: number) => Value): readonly Value[] {
    return this.#model.neurons.map((_, layer) => read(layer));
  }

  /** A matrix of weights; `rank`: the columns of fc2. */
  matrix(layer: number, name: "downRows" | "fc1" | "fc2", rank = 0): Weight | undefined {
    const tensor = this.#gguf.tensors.get(tensorName(layer, name));
    if (tensor === undefined) return undefined;
    const { type } = tensor;
    if (!isWeightType(type)) return this.#refuse(tensor, type, weightTypes.join(", "));
    const { dim } = this.#model;
    const neurons = this.#model.neurons[layer] ?? 0;
    const [columns = 0, rows = 1] = tensor.dimensions;
    const wanted = {
      downRows: [dim, neurons],
      fc1: [dim, rows],
      fc2: [rank, neurons],
    }[name];
    this.#checkShape(tensor, wanted);
    return { name: tensor.name, type, rows, columns, bytes: { kind: "file", ...place(tensor) } };
  }

  bytes(
    layer: number,
    name: LayerTensor,
    type: "I8" | "F32" | "F64",
  ): ReturnType<typeof place> | undefined {
    const tensor = this.#gguf.tensors.get(tensorName(layer, name));
    if (tensor === undefined) return undefined;
    if (tensor.type !== type) return this.#refuse(tensor, tensor.type, type);
    const neurons = this.#model.neurons[layer] ?? 0;
    this.#checkShape(tensor, this.#shapeOf(name, neurons));
    return place(tensor);
  }

  /** The bytes of one tensor of each layer; undefined when no layer has it. */
  allLayers(
    name: LayerTensor,
    type: "F32" | "F64",
  ): readonly Uint8Array<ArrayBuffer>[] | undefined {
    const places = this.eachLayer((layer) => this.bytes(layer, name, type));
    if (places.every((one) => one === undefined)) return undefined;
    return places.map((one, layer) => {
      if (one !== undefined) return readTensorBytes(one);
      throw new FileFormatError({
        file: this.#gguf.path,
        where: `tensor ${tensorName(layer, name)}`,
        found: "nothing",
        expected: "one, as other layers have",
      });
    });
  }

  counts(name: "counts" | "learntCounts"): readonly Float64Array[] | undefined {
    const layers = this.allLayers(name, "F64");
    return layers?.map((bytes) => new Float64Array(bytes.buffer));
  }

  #shapeOf(name: LayerTensor, neurons: number): readonly number[] {
    const { dim } = this.#model;
    if (name === "signs") return [signRowBytes(dim), neurons];
    return name === "signCentre" ? [dim] : [neurons];
  }

  #checkShape(tensor: TensorInfo, wanted: readonly number[]): void {
    const found = tensor.dimensions.filter((length, i) => i === 0 || length !== 1);
    const expected = wanted.filter((length, i) => i === 0 || length !== 1);
    if (found.join() === expected.join()) return;
    this.#refuse(tensor, `[${tensor.dimensions.join(", ")}]`, `[${wanted.join(", ")}]`);
  }

  #refuse(tensor: TensorInfo, found: string, expected: string): never {
    const where = `tensor ${tensor.name}`;
    throw new FileFormatError({ file: this.#gguf.path, where, found, expected });
  }
}

function floats(bytes: Uint8Array<ArrayBuffer>): Float32Array {
  return new Float32Array(bytes.buffer);
}

function place(tensor: TensorInfo): { path: string; offset: number; bytes: number } {
  const { path, offset, bytes } = tensor;
  return { path, offset, bytes };
}
