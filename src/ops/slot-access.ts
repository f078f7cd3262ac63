/** Which slots an op reads and writes, and the same op over other slots: for those who cut programs apart. */
import type { FfnBlock, Op, Slot } from "./op.ts";

export function slotsRead(op: Op): readonly Slot[] {
  switch (op.kind) {
    case "embed":
      return [];
    case "norm":
    case "mask":
    case "copy":
    case "select":
    case "argmax":
    case "top-k":
    case "rope":
      return [op.x];
    case "matmul":
      return op.into === "add" ? [op.x, op.out] : [op.x];
    case "store-kv":
      return [op.k, op.v];
    case "attention":
      return [op.q];
    case "activate":
      return op.gate === undefined ? [op.up] : [op.up, op.gate];
    case "ffn": {
      const { method } = op.block;
      const inputs = method.kind === "mlp" ? [op.x, method.input] : [op.x];
      return op.into === "add" ? [...inputs, op.out] : inputs;
    }
    case "add":
      return [op.x, op.out];
    default:
      return op satisfies never;
  }
}

/** The slot whose rows the op changes; none for an op that fills the cache. */
export function slotWritten(op: Op): Slot | undefined {
  if (op.kind === "store-kv") return undefined;
  return op.kind === "rope" ? op.x : op.out;
}

/** Whether the op adds to the slot and uses it for nothing else: such ops may change places. */
export function addsOnlyTo(op: Op, slot: Slot): boolean {
  if (op.kind === "add") return op.out === slot && op.x !== slot;
  if (op.kind !== "matmul" && op.kind !== "ffn") return false;
  return op.into === "add" && slotsRead(op).filter((read) => read === slot).length === 1;
}

/** The op with every slot replaced. */
export function withSlots(op: Op, place: (slot: Slot) => Slot): Op {
  switch (op.kind) {
    case "embed":
      return { ...op, out: place(op.out) };
    case "rope":
      return { ...op, x: place(op.x) };
    case "store-kv":
      return { ...op, k: place(op.k), v: place(op.v) };
    case "attention":
      return { ...op, q: place(op.q), out: place(op.out) };
    case "activate": {
      const gate = op.gate && { gate: place(op.gate) };
      return { ...op, up: place(op.up), out: place(op.out), ...gate };
    }
    case "ffn": {
      const block = blockWithSlots(op.block, place);
      return { ...op, x: place(op.x), out: place(op.out), block };
    }
    case "norm":
    case "matmul":
    case "mask":
    case "add":
    case "copy":
    case "select":
    case "argmax":
    case "top-k":
      return { ...op, x: place(op.x), out: place(op.out) };
    default:
      return op satisfies never;
  }
}

function blockWithSlots(block: FfnBlock, place: (slot: Slot) => Slot): FfnBlock {
  const { method } = block;
  if (method.kind !== "mlp") return block;
  return { ...block, method: { ...method, input: place(method.input) } };
}
