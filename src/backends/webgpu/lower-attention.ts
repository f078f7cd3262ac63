/** Rotary embedding, the KV cache and attention: fused where the ops follow each other as models emit them. */
import { requireCells } from "../../ops/kv-shape.ts";
import type { Op, OpOf, Slot, Weight } from "../../ops/op.ts";
import type { BufferSpec } from "./kernel.ts";
import { attentionJoin, attentionRows, partsBytes } from "./kernels/attention.ts";
import { attentionTiles, tileRows } from "./kernels/attention-tiles.ts";
import { rope, ropeTable, ropeTableBytes, storeKv } from "./kernels/kv.ts";
import type { Lowering } from "./lowering.ts";
import { rowsForTiles } from "./run-shape.ts";

/** Tables of positions' cos and sin, one for each set of frequencies. */
export type RopeTables = Map<string, BufferSpec>;

export function lowerRope(op: OpOf<"rope">, tables: RopeTables, lowering: Lowering): void {
  const table = tableOf(op, tables, lowering);
  lowering.emit(rope(op, { x: lowering.slot(op.x), table, step: lowering.step }));
}

/** rope(q), rope(k) and store-kv(k, v) in one dispatch. */
export interface FusedStore {
  readonly store: OpOf<"store-kv">;
  readonly k?: OpOf<"rope">;
  readonly q?: OpOf<"rope">;
  /** Ops that it stands for. */
  readonly length: number;
}

/** The longest fusion that begins at `at`; undefined when there is none. k's slot must not be read after it. */
export function fusedStore(
  ops: readonly Op[],
  at: number,
  isReadLater: (slot: Slot, from: number) => boolean,
): FusedStore | undefined {
  const [a, b, c] = ops.slice(at, at + 3);
  if (a?.kind !== "rope") return undefined;
  if (b?.kind === "store-kv") {
    const isOurs = a.x === b.k && !isReadLater(b.k, at + 2);
    return isOurs ? { store: b, k: a, length: 2 } : undefined;
  }
  if (b?.kind !== "rope" || c?.kind !== "store-kv" || !isSameTable(a, b)) return undefined;
  const [q, k] = b.x === c.k ? [a, b] : [b, a];
  const isOurs = k.x === c.k && q.x !== c.k && q.x !== c.v && q.x.rows === "step";
  return isOurs && !isReadLater(c.k, at + 3) ? { store: c, k, q, length: 3 } : undefined;
}

export function lowerStore(fused: FusedStore, tables: RopeTables, lowering: Lowering): void {
  const { store, k, q } = fused;
  const keys = lowering.keys[store.layer];
  const values = lowering.values[store.layer];
  if (keys === undefined || values === undefined) return;
  lowering.emit(
    storeKv(requireCells(lowering.program.kv, store.layer), {
      step: lowering.step,
      k: lowering.slot(store.k),
      v: lowering.slot(store.v),
      keys,
      values,
      ...(k === undefined ? {} : { rotate: { op: k, table: tableOf(k, tables, lowering) } }),
      ...(q === undefined ? {} : { q: { op: q, buffer: lowering.slot(q.x) } }),
    }),
  );
}

export function lowerAttention(op: OpOf<"attention">, lowering: Lowering): void {
  const cells = requireCells(lowering.program.kv, op.layer);
  const keys = lowering.keys[op.layer];
  const values = lowering.values[op.layer];
  if (keys === undefined || values === undefined) return;
  const parts = lowering.buffers.empty("attention parts", partsBytes(op.heads, cells.valueWidth));
  const buffers = {
    step: lowering.step,
    shapes: lowering.buffers,
    q: lowering.slot(op.q),
    out: lowering.slot(op.out),
    keys,
    values,
    parts,
    ...(op.sinks && { sinks: sinksOf(op.sinks, lowering) }),
  };
  // Of a position: its key and its value, each multiplied with every head of the row.
  const bytes = (keys.bytes + values.bytes) / (cells.places * cells.cells);
  const products = op.heads * (cells.keyWidth + cells.valueWidth);
  const positions = op.window ?? Number.POSITIVE_INFINITY;
  const work = { bytes, products, ofPositions: positions };
  lowering.emit({ ...attentionRows(op, cells, buffers), work: { ...work, rows: 1 } });
  lowering.emit(attentionJoin(op, cells, buffers));
  if (lowering.program.maxRows >= rowsForTiles(lowering.program.kv)) {
    const rows = tileRows(cells.keyWidth);
    lowering.emit({ ...attentionTiles(op, cells, buffers), work: { ...work, rows } });
  }
}

function sinksOf(weight: Weight, { buffers }: Lowering): BufferSpec {
  return buffers.vector("attention sinks", [{ weight, length: weight.columns }]);
}

function tableOf(op: OpOf<"rope">, tables: RopeTables, lowering: Lowering): BufferSpec {
  const key = `${op.magnitude}/${op.frequencies.join()}`;
  const { contextLength } = lowering.program.kv;
  const known = tables.get(key);
  if (known !== undefined) return known;
  const table = lowering.buffers.made("rope table", ropeTableBytes(op, contextLength), () => {
    return new Uint8Array(ropeTable(op, contextLength).buffer);
  });
  tables.set(key, table);
  return table;
}

function isSameTable(a: OpOf<"rope">, b: OpOf<"rope">): boolean {
  const isSameShape = a.magnitude === b.magnitude && a.pairing === b.pairing;
  return isSameShape && a.frequencies.join() === b.frequencies.join();
}
