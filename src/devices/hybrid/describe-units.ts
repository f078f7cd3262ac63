/**
 * What the planner must know of what a layer's devices may share: bytes of each neuron of its block, or of each expert, on
 * either device, and which of them are read per token. Bytes on the GPU are those of the backend's own layout.
 */
import { rowLayout } from "../../backends/webgpu/weight-layout.ts";
import { rowBytes, weightBytes } from "../../core/dtype.ts";
import type { Bytes } from "../../core/units.ts";
import { activeWidth } from "../../ops/active-bits.ts";
import type { ExpertStack, FfnBlock, StackedWeight, Weight } from "../../ops/op.ts";
import type {
  Activity,
  PlaceableFfn,
  PlaceablePredictor,
  PlaceableTensor,
  UnitTensor,
} from "../../placement/placeable-model.ts";
import { isWhole, type PlacedOp } from "./placed-op.ts";

/** `whole`: the same where no layer is split. */
export function describeUnits(
  op: PlacedOp,
  whole: PlacedOp | undefined,
  activity: Activity,
): PlaceableFfn {
  return op.kind === "experts"
    ? describeExperts(op.stack, activity)
    : describeBlock(op, whole?.kind === "ffn" ? whole.block : undefined, activity);
}

/** All matrices of an expert are read where a token chooses it, and nothing otherwise. */
function describeExperts(stack: ExpertStack, activity: Activity): PlaceableFfn {
  const { gate, gateBias, up, upBias, down, downBias } = stack;
  const parts = [gate, up, down, gateBias, upBias, downBias].filter((part) => part !== undefined);
  return {
    unit: "expert",
    unitCount: stack.count,
    neuronsOfUnit: stack.neurons,
    unitTensors: parts.map((part) => ({ ...expertTensor(part), read: "active" })),
    shared: [],
    activity,
  };
}

/** Of one expert. */
function expertTensor({ weight, rows }: StackedWeight): PlaceableTensor {
  return placeable({ ...weight, rows });
}

function describeBlock(
  op: Extract<PlacedOp, { readonly kind: "ffn" }>,
  whole: FfnBlock | undefined,
  activity: Activity,
): PlaceableFfn {
  const { block } = op;
  const { tensors, shared, predictor } = tensorsOf(block);
  const described = {
    unit: "neuron" as const,
    unitCount: block.neurons,
    unitTensors: tensors,
    shared,
    activity,
    ...(predictor && { predictor }),
    ...(isWhole(op) && { isWhole: true }),
  };
  return whole === undefined || whole.down.layout === block.down.layout
    ? described
    : { ...described, wholeTensors: tensorsOf(whole).tensors };
}

function tensorsOf(block: FfnBlock): Pick<PlaceableFfn, "shared" | "predictor"> & {
  readonly tensors: readonly UnitTensor[];
} {
  const { gate, gateBias, up, upBias, down, downBias, hiddenNorm, method, neurons } = block;
  const read = readsOf(block);
  const tensors: UnitTensor[] = [
    ...(gate === undefined ? [] : [unitTensor(gate, read.gate)]),
    unitTensor(up, read.up),
    down.layout === "rows"
      ? unitTensor(down.weight, read.down)
      : columnTensor(down.weight, read.down),
  ];
  if (gateBias !== undefined) tensors.push({ ...plain(4), read: read.gate });
  if (upBias !== undefined) tensors.push({ ...plain(4), read: read.up });
  const vectors = [downBias, hiddenNorm?.weight].filter((vector) => vector !== undefined);
  const shared: PlaceableTensor[] = vectors.map(placeable);
  switch (method.kind) {
    case "dense":
    case "gate":
    case "threshold-gate":
    case "given":
      break;
    case "mlp": {
      const fc2 = unitTensor(method.fc2, "always");
      const own = { unitTensors: [fc2], shared: [placeable(method.fc1)] };
      return withPredictor(block, { tensors, shared }, own);
    }
    case "sign": {
      const { signs, margins, centre } = method;
      const rows = [plain(signs.length / neurons), ...(margins === undefined ? [] : [plain(4)])];
      const unitTensors = rows.map((row): UnitTensor => ({ ...row, read: "always" }));
      const own = { unitTensors, shared: centre === undefined ? [] : [plain(centre.byteLength)] };
      return withPredictor(block, { tensors, shared }, own);
    }
    case "threshold-output":
      tensors.push({ ...plain(4), read: "always" });
      break;
    default:
      return method satisfies never;
  }
  return { tensors, shared };
}

/** Adds a predictor's rows and what it shares to those of the block. */
function withPredictor(
  block: FfnBlock,
  { tensors, shared }: { tensors: UnitTensor[]; shared: PlaceableTensor[] },
  own: Pick<PlaceablePredictor, "unitTensors" | "shared">,
): ReturnType<typeof tensorsOf> {
  const predictor = { ...own, idBytes: 4, setBytes: 4 * activeWidth(block.neurons) };
  return {
    tensors: [...tensors, ...own.unitTensors],
    shared: [...shared, ...own.shared],
    predictor,
  };
}

type Read = UnitTensor["read"];

/** Which rows a method reads whether or not the neuron is active. */
function readsOf({ method, gate }: FfnBlock): {
  readonly gate: Read;
  readonly up: Read;
  readonly down: Read;
} {
  switch (method.kind) {
    case "dense":
      return { gate: "always", up: "always", down: "always" };
    case "gate":
    case "threshold-gate":
      return { gate: "always", up: gate === undefined ? "always" : "active", down: "active" };
    case "threshold-output":
      return { gate: "always", up: "always", down: "active" };
    case "mlp":
    case "sign":
    case "given":
      return { gate: "active", up: "active", down: "active" };
    default:
      return method satisfies never;
  }
}

/** A matrix of which each neuron has one row. */
function unitTensor(weight: Weight, read: Read): UnitTensor {
  const { type, columns } = weight;
  const gpu = { type, bytes: rowLayout(type, columns).gpuBytes };
  return { gpu, cpu: { type, bytes: rowBytes(type, columns) }, read };
}

/** A matrix of which each neuron has one column: its share, as only whole ones are held. */
function columnTensor(weight: Weight, read: Read): UnitTensor {
  const { type, rows, columns } = weight;
  const gpu = { type, bytes: (rows * rowLayout(type, columns).gpuBytes) / columns };
  return { gpu, cpu: { type, bytes: (rows * rowBytes(type, columns)) / columns }, read };
}

/** Vectors are f32 on the GPU, matrices keep their type. */
export function placeable(weight: Weight): PlaceableTensor {
  const { type, rows, columns } = weight;
  const cpu = { type, bytes: weightBytes(weight) };
  if (rows === 1) return { gpu: { type: "F32", bytes: columns * 4 }, cpu };
  return { gpu: { type, bytes: rows * rowLayout(type, columns).gpuBytes }, cpu };
}

export function plain(bytes: Bytes): PlaceableTensor {
  const slice = { type: "F32", bytes };
  return { gpu: slice, cpu: slice };
}
