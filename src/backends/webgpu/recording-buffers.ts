/**
 * Collects the buffers that a lowered program needs: weights (whole, stacked, cut into bindable pieces, gathered),
 * vectors as f32, shared scratch. Nothing is allocated here, so the bytes are known before the first upload.
 */
import type { WeightType } from "../../core/dtype.ts";
import { LimitError } from "../../core/errors.ts";
import { type Bytes, formatBytes, MiB } from "../../core/units.ts";
import type { Weight } from "../../ops/op.ts";
import { quantCodec } from "../../quant/codecs.ts";
import { gridBytes, gridTable } from "./grid-table.ts";
import {
  type BufferSpec,
  guaranteedGroups,
  type KernelFeatures,
  type LoopBounds,
  type MatrixPart,
  type Purpose,
  plainFeatures,
  type ShapeFields,
  type ShapeStore,
} from "./kernel.ts";
import type { WeightPiece } from "./kernels/gemv.ts";
import { readWeight } from "./upload.ts";
import { align, rowLayout } from "./weight-layout.ts";

export interface BindingLimits {
  readonly maxBinding: number;
  readonly maxBuffer: number;
  /** Workgroups of a dimension. Default: what WebGPU guarantees. */
  readonly maxGroups?: number;
  /** Bytes of a window through which weights are streamed; a row or an expert may be larger. Default: 32 MiB. */
  readonly windowBytes?: Bytes;
  /** Default "fixed". */
  readonly loops?: LoopBounds;
  /** Default: none. */
  readonly features?: KernelFeatures;
}

/** Weights that are one matrix on the GPU: stacked one below the other, or with only some rows of each. */
export interface StackedMatrix {
  readonly label: string;
  readonly weights: readonly Weight[];
  readonly rows?: Uint32Array;
}

/** What a streamed segment brings with each run. */
export interface StreamedBuffers {
  /** Pieces of matrices, in the order in which kernels read them; those of one window follow those of the other. */
  readonly pieces: readonly BufferSpec[];
  /** Small things of single neurons or experts, which have their place on the card: others may have changed places. */
  readonly renewed: readonly BufferSpec[];
}

/** Two, so that one is filled while kernels read the other. */
const windowCount = 2;

/** Large against what a submission costs (50 µs, in which a link of 25 GB/s brings 1 MiB), small against a card. */
const defaultWindow: Bytes = 32 * MiB;

/** Into so many pieces a matrix is cut at least: windows are no larger than a small model is worth. */
const leastPieces = 4;

export class RecordingBuffers implements ShapeStore {
  readonly all: BufferSpec[] = [];
  readonly loops: LoopBounds;
  readonly features: KernelFeatures;
  readonly maxGroups: number;
  readonly #byKey = new Map<string, readonly BufferSpec[]>();
  readonly #ids = new Map<Weight | Uint32Array, number>();
  readonly #limits: BindingLimits;
  /** Of all streamed segments: bytes of the largest piece in each window. */
  readonly #windows: Bytes[] = [];
  #streamed: { pieces: BufferSpec[]; renewed: BufferSpec[] } | undefined;

  constructor(limits: BindingLimits) {
    this.#limits = limits;
    this.loops = limits.loops ?? "fixed";
    this.maxGroups = limits.maxGroups ?? guaranteedGroups;
    this.features = limits.features ?? plainFeatures;
  }

  /** Matrices that no other segment before has named come through windows until the call that this returns. */
  beginStreamed(): () => StreamedBuffers {
    const streamed = { pieces: [], renewed: [] };
    this.#streamed = streamed;
    return () => {
      this.#streamed = undefined;
      return streamed;
    };
  }

  /** When all segments are recorded: the windows, as large as the largest piece of each. */
  windows(): readonly BufferSpec[] {
    return this.#windows.map((bytes, i) => this.empty(`window ${i}`, bytes, "window"));
  }

  /** A buffer without contents (zero at first); the same name and size give the same buffer. */
  empty(label: string, bytes: number, purpose: Purpose = "scratch"): BufferSpec {
    const spec = { label, bytes, purpose, contents: [] };
    return this.#onceOne(`${label}/${bytes}`, spec);
  }

  /** `rows`: the neurons that the contents are of. */
  made(label: string, bytes: number, make: () => Uint8Array, rows?: Uint32Array): BufferSpec {
    const contents = [{ kind: "made", name: label, make, ...(rows && { rows }) }] as const;
    return this.#renewed(this.#add({ label, bytes, purpose: "weights", contents }));
  }

  /** As `made`, of the size of a matrix: a streamed segment does not keep it. */
  madeMatrix(label: string, bytes: number, make: () => Uint8Array, rows?: Uint32Array): BufferSpec {
    const contents = [{ kind: "made", name: label, make, ...(rows && { rows }) }] as const;
    return this.#addMatrix({ label, bytes, purpose: "weights", contents });
  }

  shape(fields: ShapeFields): BufferSpec {
    const words = Uint32Array.from(Object.values(fields));
    const make = (): Uint8Array => {
      const padded = new Uint8Array(align(words.byteLength, 16));
      padded.set(new Uint8Array(words.buffer));
      return padded;
    };
    const contents = [{ kind: "made", name: "shape", make }] as const;
    const bytes = align(words.byteLength, 16);
    return this.#onceOne(`shape ${words.join()}`, {
      label: "shape",
      bytes,
      purpose: "uniform",
      contents,
    });
  }

  /** Vectors one after the other as f32; an absent one is `length` zeros. Only `rows` of each, when given. */
  vector(
    label: string,
    parts: readonly { readonly weight: Weight | undefined; readonly length: number }[],
    rows?: Uint32Array,
  ): BufferSpec {
    const lengths = parts.map(({ length }) => rows?.length ?? length);
    const total = lengths.reduce((sum, length) => sum + length, 0);
    const key = `vector ${parts.map(({ weight, length }) => (weight ? this.#id(weight) : `0*${length}`))}`;
    const make = (): Uint8Array => {
      const all = new Float32Array(total);
      let at = 0;
      parts.forEach(({ weight }, i) => {
        if (weight !== undefined) all.set(gather(floatsOf(weight), rows), at);
        at += lengths[i] ?? 0;
      });
      return new Uint8Array(all.buffer);
    };
    const contents = [{ kind: "made", name: label, make, ...(rows && { rows }) }] as const;
    const spec = { label, bytes: total * 4, purpose: "weights", contents } as const;
    return this.#renewed(this.#onceOne(`${key} ${this.#id(rows)}`, spec));
  }

  /** Whether stacking them gives one binding. */
  fitsOneBinding(weights: readonly Weight[]): boolean {
    const bytes = weights.reduce((sum, weight) => sum + matrixBytes(weight), 0);
    return bytes <= this.#largest();
  }

  /** The matrix in as few pieces of whole rows as the adapter can bind. */
  matrix({ label, weights, rows }: StackedMatrix): readonly WeightPiece[] {
    const [first] = weights;
    if (first === undefined) return [];
    const { gpuBytes } = rowLayout(first.type, first.columns);
    const parts = weights.map((weight): MatrixPart => wholePart(weight, rows));
    const total = parts.reduce((sum, part) => sum + part.rowCount, 0);
    const table = tableContents(first.type);
    const behind = gridBytes(first.type);
    const perPiece = this.rowsPerPiece(label, { rowBytes: gpuBytes, rows: total, behind });
    const key = `matrix ${weights.map((weight) => this.#id(weight))} ${this.#id(rows)}`;
    const starts = Array.from({ length: Math.ceil(total / perPiece) }, (_, i) => i * perPiece);
    const ranges = starts.map((start) => ({
      first: start,
      rows: Math.min(perPiece, total - start),
    }));
    const buffers = this.#onceMatrix(key, () =>
      ranges.map((range) =>
        this.#addMatrix({
          label: `${label} ${range.first}`,
          bytes: range.rows * gpuBytes + gridBytes(first.type),
          purpose: "weights",
          contents: [...cut(parts, range), ...table],
        }),
      ),
    );
    return ranges.flatMap((range, i) => {
      const buffer = buffers[i];
      if (buffer === undefined) return [];
      return [
        {
          buffer,
          type: first.type,
          columns: first.columns,
          firstRow: range.first,
          rows: range.rows,
        },
      ];
    });
  }

  /** Rows of these weights, all of one type, one part behind the other. */
  rowsOf(
    label: string,
    { weights, parts }: { weights: readonly Weight[]; parts: readonly MatrixPart[] },
  ): BufferSpec {
    const type = parts[0]?.type ?? "F32";
    const bytes = parts.reduce(
      (sum, { columns, rowCount }) => sum + rowCount * rowLayout(type, columns).gpuBytes,
      gridBytes(type),
    );
    const contents = [...parts, ...tableContents(type)];
    const spec = { label, bytes, purpose: "weights", contents } as const;
    // Of a layer whose other experts are kept here, these are no part.
    if (this.#streamed !== undefined) return this.#addMatrix(spec);
    const key = `rows ${weights.map((weight) => this.#id(weight))} ${label}`;
    return this.#onceOne(key, spec);
  }

  /** Gate and up in pieces of the same neurons: each piece holds rows [a, b) of the gate, then the same of up. */
  pairedMatrix({ label, weights, rows }: StackedMatrix): readonly WeightPiece[] {
    const [first] = weights;
    if (first === undefined) return [];
    const { gpuBytes } = rowLayout(first.type, first.columns);
    const parts = weights.map((weight): MatrixPart => wholePart(weight, rows));
    const total = parts[0]?.rowCount ?? 0;
    const table = tableContents(first.type);
    const rowBytes = gpuBytes * weights.length;
    const behind = gridBytes(first.type);
    const perPiece = this.rowsPerPiece(label, { rowBytes, rows: total, behind });
    const starts = Array.from({ length: Math.ceil(total / perPiece) }, (_, i) => i * perPiece);
    return starts.map((start) => {
      const count = Math.min(perPiece, total - start);
      const buffer = this.#addMatrix({
        label: `${label} ${start}`,
        bytes: count * gpuBytes * weights.length + gridBytes(first.type),
        purpose: "weights",
        contents: [
          ...parts.flatMap((part) => cut([part], { first: start, rows: count })),
          ...table,
        ],
      });
      return { buffer, type: first.type, columns: first.columns, firstRow: start, rows: count };
    });
  }

  /**
   * How many of so many rows, or experts, lie together in a piece: as many as a binding holds with what stands `behind` them,
   * and of what is streamed no more than a window should.
   */
  rowsPerPiece(
    label: string,
    { rowBytes, rows, behind = 0 }: { rowBytes: Bytes; rows: number; behind?: Bytes },
  ): number {
    const most = Math.floor((this.#largest() - behind) / rowBytes);
    if (most === 0) {
      throw new LimitError(
        `${label}: ${formatBytes(rowBytes)} that must lie together exceed what the adapter can bind (${formatBytes(this.#largest())}). Use device cpu`,
      );
    }
    if (this.#streamed === undefined) return most;
    const { windowBytes = defaultWindow } = this.#limits;
    const inWindow = Math.floor((windowBytes - behind) / rowBytes);
    return Math.min(most, Math.max(1, Math.min(inWindow, Math.ceil(rows / leastPieces))));
  }

  #largest(): number {
    return Math.min(this.#limits.maxBinding, this.#limits.maxBuffer);
  }

  #add(spec: BufferSpec): BufferSpec {
    const padded = this.#padded(spec);
    this.all.push(padded);
    return padded;
  }

  /** Through a window where the segment is streamed. */
  #addMatrix(spec: BufferSpec): BufferSpec {
    if (this.#streamed === undefined) return this.#add(spec);
    const { pieces } = this.#streamed;
    const window = pieces.length % windowCount;
    const piece = { ...this.#padded(spec), window };
    this.#windows[window] = Math.max(this.#windows[window] ?? 0, piece.bytes);
    pieces.push(piece);
    return piece;
  }

  #renewed(spec: BufferSpec): BufferSpec {
    const isOfUnits = spec.contents.some(({ rows }) => rows !== undefined);
    if (this.#streamed !== undefined && isOfUnits) this.#streamed.renewed.push(spec);
    return spec;
  }

  #padded(spec: BufferSpec): BufferSpec {
    const padded = { ...spec, bytes: Math.max(align(spec.bytes, 16), 16) };
    // Staging is copied to and mapped, never bound.
    const most = spec.purpose === "staging" ? this.#limits.maxBuffer : this.#largest();
    if (padded.bytes > most) {
      throw new LimitError(
        `${spec.label}: ${formatBytes(padded.bytes)} exceed what the adapter can ${spec.purpose === "staging" ? "allocate" : "bind"} at once (${formatBytes(most)}). ` +
          "Lower the context length, the batch or the sequences, or use device cpu",
      );
    }
    return padded;
  }

  /** What another segment keeps is not brought again. */
  #onceMatrix(key: string, make: () => readonly BufferSpec[]): readonly BufferSpec[] {
    if (this.#streamed === undefined) return this.#once(key, make);
    return this.#byKey.get(key) ?? make();
  }

  #once(key: string, make: () => readonly BufferSpec[]): readonly BufferSpec[] {
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const made = make();
    this.#byKey.set(key, made);
    return made;
  }

  #onceOne(key: string, spec: BufferSpec): BufferSpec {
    const [known] = this.#byKey.get(key) ?? [];
    if (known !== undefined) return known;
    const added = this.#add(spec);
    this.#byKey.set(key, [added]);
    return added;
  }

  #id(object: Weight | Uint32Array | undefined): string {
    if (object === undefined) return "";
    const id = this.#ids.get(object) ?? this.#ids.size;
    this.#ids.set(object, id);
    return String(id);
  }
}

function matrixBytes(weight: Weight): number {
  return weight.rows * rowLayout(weight.type, weight.columns).gpuBytes + gridBytes(weight.type);
}

/** What stands behind the rows of a weight buffer: decoding finds it by the buffer's end. */
function tableContents(type: WeightType): BufferSpec["contents"] {
  if (gridBytes(type) === 0) return [];
  return [{ kind: "made", name: `grid of ${type}`, make: () => gridTable(type) }];
}

function wholePart(weight: Weight, rows: Uint32Array | undefined): MatrixPart {
  const { name, bytes, type, columns } = weight;
  const rowCount = rows?.length ?? weight.rows;
  const part = { kind: "rows", name, bytes, type, columns, firstRow: 0, rowCount } as const;
  return rows === undefined ? part : { ...part, rows };
}

/** The parts of rows [first, first + rows) of the stack. */
function cut(
  parts: readonly MatrixPart[],
  range: { readonly first: number; readonly rows: number },
): MatrixPart[] {
  const cutParts: MatrixPart[] = [];
  let begin = 0;
  for (const part of parts) {
    const from = Math.max(range.first - begin, 0);
    const to = Math.min(range.first + range.rows - begin, part.rowCount);
    if (from < to) {
      const rowCount = to - from;
      const rows = part.rows?.subarray(from, to);
      const shifted = { ...part, firstRow: from, rowCount };
      cutParts.push(rows === undefined ? shifted : { ...shifted, rows });
    }
    begin += part.rowCount;
  }
  return cutParts;
}

/** All elements of a weight in f32. */
export function floatsOf(weight: Weight): Float32Array {
  const codec = quantCodec(weight.type);
  const values = new Float32Array(weight.rows * weight.columns);
  codec.dequantise(readWeight(weight.bytes), 0, values, 0, values.length / codec.blockElements);
  return values;
}

function gather(values: Float32Array, rows: Uint32Array | undefined): Float32Array {
  return rows === undefined ? values : Float32Array.from(rows, (row) => values[row] ?? 0);
}
