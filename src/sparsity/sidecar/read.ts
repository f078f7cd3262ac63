/** Opens a sidecar: it must be of this version and of this model, and everything in it must fit the model's shape. */
import { existsSync } from "node:fs";
import { isWeightType, weightTypes } from "../../core/dtype.ts";
import { FileFormatError } from "../../core/errors.ts";
import { type GgufFile, openGguf } from "../../gguf/open.ts";
import type { TensorInfo } from "../../gguf/tensor-info.ts";
import { readTensorBytes } from "../../io/tensor-bytes.ts";
import type { Weight } from "../../ops/op.ts";
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
import { readFacts } from "./read-facts.ts";
import {
  type ChannelMatrix,
  type ColumnNorms,
  channelMatrices,
  type LayerChannels,
  type Sidecar,
  type SidecarModel,
} from "./sidecar.ts";

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
  const gguf = openSound(path);
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

/** A damaged one is not worth an inquiry. */
function openSound(path: string): GgufFile {
  try {
    return openGguf(path);
  } catch (error) {
    throw error instanceof FileFormatError ? withAdvice(error) : error;
  }
}

function withAdvice(error: FileFormatError): FileFormatError {
  const advice = "delete the sidecar, and hearth prepare makes it again";
  const expected = error.expected.includes(advice)
    ? error.expected
    : `${error.expected}; ${advice}`;
  const { file, where, found, offset } = error;
  return new FileFormatError({
    file,
    where,
    found,
    expected,
    ...(offset !== undefined && { offset }),
  });
}

function readSidecar(gguf: GgufFile, model: SidecarModel): Sidecar {
  try {
    return readChecked(gguf, model);
  } catch (error) {
    throw error instanceof FileFormatError ? withAdvice(error) : error;
  }
}

function readChecked(gguf: GgufFile, model: SidecarModel): Sidecar {
  const tensors = new SidecarTensors(gguf, model);
  const { dim } = model;
  const perNeuron = (layer: number): readonly number[] => [model.neurons[layer] ?? 0];
  const counts = (name: LayerTensor): readonly Float64Array[] | undefined =>
    tensors
      .allLayers((layer) => tensorName(layer, name), { type: "F64", shape: perNeuron })
      ?.map((bytes) => new Float64Array(bytes.buffer));
  const vectors = (name: LayerTensor, shape = perNeuron): readonly Float32Array[] | undefined =>
    tensors
      .allLayers((layer) => tensorName(layer, name), { type: "F32", shape })
      ?.map((bytes, layer) => tensors.finite(tensorName(layer, name), floats(bytes)));
  const { predictorFacts, ...facts } = readFacts(gguf, {
    layers: model.neurons.length,
    counts: counts("counts"),
    learnt: counts("learntCounts"),
    experts: readExperts(tensors, model),
  });
  const downNorms = vectors("downNorms")?.map((values, layer) =>
    tensors.norms(tensorName(layer, "downNorms"), values),
  );
  const signMargins = vectors("signMargins");
  const signCentres = vectors("signCentre", () => [dim]);
  const columnNorms = readColumnNorms(tensors, model);
  return {
    path: gguf.path,
    ...facts,
    downRows: tensors.eachLayer((layer, neurons) =>
      tensors.matrix(tensorName(layer, "downRows"), { columns: dim, rows: neurons }),
    ),
    ...(downNorms && { downNorms }),
    ...(columnNorms && { columnNorms }),
    channels: tensors.eachLayer((layer) => readChannels(tensors, model, layer)),
    predictors: tensors.eachLayer((layer, neurons) => {
      const fc1 = tensors.matrix(tensorName(layer, "fc1"), { columns: dim });
      if (fc1 === undefined) return undefined;
      const shape = { columns: fc1.rows, rows: neurons };
      const fc2 = tensors.matrix(tensorName(layer, "fc2"), shape);
      return fc2 && { fc1, fc2, ...predictorFacts(layer) };
    }),
    signs: tensors.eachLayer((layer, neurons) => {
      const shape = [signRowBytes(dim), neurons];
      return tensors.bytes(tensorName(layer, "signs"), { type: "I8", shape });
    }),
    ...(signMargins && { signMargins }),
    ...(signCentres && { signCentres }),
  };
}

/** Where one layer with experts has counts of them, the others must have them, too. */
function readExperts(tensors: SidecarTensors, { experts = [] }: SidecarModel) {
  const read = (layer: number, name: LayerTensor): Float64Array | undefined => {
    const shape = [experts[layer] ?? 0];
    const found = tensors.bytes(tensorName(layer, name), { type: "F64", shape });
    return found && new Float64Array(readTensorBytes(found).buffer);
  };
  const found = experts.map((count, layer) =>
    count === 0
      ? undefined
      : { counts: read(layer, "expertCounts"), weights: read(layer, "expertWeights") },
  );
  if (found.every((one) => one?.counts === undefined && one?.weights === undefined)) return [];
  return found.map(
    (one, layer) =>
      one && {
        counts: one.counts ?? tensors.missing(tensorName(layer, "expertCounts")),
        weights: one.weights ?? tensors.missing(tensorName(layer, "expertWeights")),
      },
  );
}

/** If all layers have norms for one place, norms for the other places are required too. */
function readColumnNorms(
  tensors: SidecarTensors,
  { dim, attention }: SidecarModel,
): readonly ColumnNorms[] | undefined {
  const widthOf = (place: keyof ColumnNorms, layer: number): number =>
    place === "attentionOutput" ? (attention[layer]?.output ?? 0) : dim;
  const norms = (place: keyof ColumnNorms): readonly Float32Array[] | undefined =>
    tensors
      .allLayers((layer) => columnNormsName(layer, place), {
        type: "F32",
        shape: (layer) => [widthOf(place, layer)],
      })
      ?.map((bytes, layer) => tensors.norms(columnNormsName(layer, place), floats(bytes)));
  const ffn = norms("ffn");
  const own = norms("attention");
  const output = norms("attentionOutput");
  const first = own ?? output ?? ffn;
  return first?.map((_, layer) => ({
    attention: own?.[layer] ?? tensors.missing(columnNormsName(layer, "attention")),
    attentionOutput: output?.[layer] ?? tensors.missing(columnNormsName(layer, "attentionOutput")),
    ffn: ffn?.[layer] ?? tensors.missing(columnNormsName(layer, "ffn")),
  }));
}

function readChannels(
  tensors: SidecarTensors,
  { dim, attention, neurons }: SidecarModel,
  layer: number,
): LayerChannels<Weight> {
  const own = attention[layer];
  const { queries = 0, keys = 0, values = 0, output = 0 } = own ?? {};
  const ofLayer = neurons[layer] ?? 0;
  const shapes: Readonly<Record<ChannelMatrix, { columns: number; rows: number }>> = {
    q: { columns: queries, rows: dim },
    k: { columns: keys, rows: dim },
    v: { columns: values, rows: dim },
    qkv: { columns: own?.qkv ?? 0, rows: dim },
    outputGate: { columns: own?.outputGate ?? 0, rows: dim },
    attentionOutput: { columns: dim, rows: output },
    gate: { columns: ofLayer, rows: dim },
    up: { columns: ofLayer, rows: dim },
  };
  const found = channelMatrices.flatMap((matrix) => {
    const weight = tensors.matrix(channelsName(layer, matrix), shapes[matrix]);
    return weight === undefined ? [] : [[matrix, weight] as const];
  });
  return Object.fromEntries(found);
}

interface TensorShape {
  readonly type: "I8" | "F32" | "F64";
  /** As GGUF has it: the row's length first. */
  readonly shape: readonly number[];
}

/** Tensors by name, each checked against the model's shape. */
class SidecarTensors {
  readonly #gguf: GgufFile;
  readonly #model: SidecarModel;

  constructor(gguf: GgufFile, model: SidecarModel) {
    this.#gguf = gguf;
    this.#model = model;
  }

  eachLayer<Value>(read: (layer: number, neurons: number) => Value): readonly Value[] {
    return this.#model.neurons.map((neurons, layer) => read(layer, neurons));
  }

  /** A matrix of weights; without `rows` it may have any number of them. */
  matrix(
    name: string,
    shape: { readonly columns: number; readonly rows?: number },
  ): Weight | undefined {
    const tensor = this.#gguf.tensors.get(name);
    if (tensor === undefined) return undefined;
    const { type } = tensor;
    if (!isWeightType(type)) return this.#refuse(name, type, weightTypes.join(", "));
    const [columns = 0, rows = 1] = tensor.dimensions;
    this.#checkShape(tensor, [shape.columns, shape.rows ?? rows]);
    return { name, type, rows, columns, bytes: { kind: "file", ...place(tensor) } };
  }

  bytes(name: string, { type, shape }: TensorShape): ReturnType<typeof place> | undefined {
    const tensor = this.#gguf.tensors.get(name);
    if (tensor === undefined) return undefined;
    if (tensor.type !== type) return this.#refuse(name, tensor.type, type);
    this.#checkShape(tensor, shape);
    return place(tensor);
  }

  /** The bytes of one tensor of each layer; undefined when no layer has it. */
  allLayers(
    nameOf: (layer: number) => string,
    wanted: Pick<TensorShape, "type"> & { shape: (layer: number) => readonly number[] },
  ): readonly Uint8Array<ArrayBuffer>[] | undefined {
    const { type, shape } = wanted;
    const found = this.eachLayer((layer) =>
      this.bytes(nameOf(layer), { type, shape: shape(layer) }),
    );
    if (found.every((one) => one === undefined)) return undefined;
    return found.map((one, layer) =>
      one === undefined ? this.missing(nameOf(layer)) : readTensorBytes(one),
    );
  }

  /** A NaN among them would keep every input or none, unseen. */
  norms(name: string, values: Float32Array): Float32Array {
    const wrong = values.find((value) => !(value >= 0 && value < Number.POSITIVE_INFINITY));
    if (wrong === undefined) return values;
    return this.#refuse(name, String(wrong), "finite numbers of at least 0");
  }

  finite(name: string, values: Float32Array): Float32Array {
    const wrong = values.find((value) => !Number.isFinite(value));
    if (wrong === undefined) return values;
    return this.#refuse(name, String(wrong), "finite numbers");
  }

  missing(name: string): never {
    return this.#refuse(name, "nothing", "one, as other layers and places have");
  }

  #checkShape(tensor: TensorInfo, wanted: readonly number[]): void {
    const found = tensor.dimensions.filter((length, i) => i === 0 || length !== 1);
    const expected = wanted.filter((length, i) => i === 0 || length !== 1);
    if (found.join() === expected.join()) return;
    this.#refuse(tensor.name, `[${tensor.dimensions.join(", ")}]`, `[${wanted.join(", ")}]`);
  }

  #refuse(name: string, found: string, expected: string): never {
    throw new FileFormatError({
      file: this.#gguf.path,
      where: `tensor ${name}`,
      found,
      expected,
    });
  }
}

function floats(bytes: Uint8Array<ArrayBuffer>): Float32Array {
  return new Float32Array(bytes.buffer);
}

function place(tensor: TensorInfo): { path: string; offset: number; bytes: number } {
  const { path, offset, bytes } = tensor;
  return { path, offset, bytes };
}
