/**
 * Random matrices as encoded rows, in pieces of about a megabyte. A piece of a row is drawn from a pool of encoded
 * pieces, so that any type costs a copy; only what is special about a row is computed and encoded.
 */
import { rowBytes, tensorType, type WeightType, weightFormat } from "../../src/core/dtype.ts";
import { createRandom, type Random } from "../../src/core/random.ts";
import { quantCodec } from "../../src/quant/codecs.ts";

/** What stands in a matrix [rows, columns]. */
export type Content =
  /** N(0, sigma²), but for the first zeroRows rows, or those of each matrix of matrixRows rows. */
  | {
      readonly kind: "random";
      readonly sigma: number;
      readonly zeroRows?: number;
      readonly matrixRows?: number;
    }
  /** The first columns are given by `prefix`, the rest N(0, sigma²). */
  | {
      readonly kind: "prefixed";
      readonly sigma: number;
      readonly prefixColumns: number;
      readonly prefix: (row: number, target: Float32Array) => void;
    }
  /** Every row is computed. `target` holds the row before. */
  | { readonly kind: "computed"; readonly fill: (row: number, target: Float32Array) => void };

export interface Matrix {
  readonly type: WeightType;
  readonly rows: number;
  readonly columns: number;
  readonly content: Content;
  readonly seed: number;
}

const flushBytes = 1 << 20;
/** Two rows agree in a piece once in 4096: that adds less to their correlation than chance does. */
const poolPieces = 4096;
/** K formats search for their scales; a smaller pool of pieces eight times as long is as good. */
const poolPiecesOfSuperBlocks = 1024;
/** The nearest point of a lattice is sought among hundreds. */
const poolPiecesOfLattices = 128;

export function* matrixBytes(matrix: Matrix): Generator<Uint8Array> {
  const stride = rowBytes(matrix.type, matrix.columns);
  const rowsAtOnce = Math.max(1, Math.floor(flushBytes / stride));
  const buffer = new Uint8Array(Math.min(rowsAtOnce, matrix.rows) * stride);
  const writeRow = rowWriter(matrix);
  for (let first = 0; first < matrix.rows; first += rowsAtOnce) {
    const count = Math.min(rowsAtOnce, matrix.rows - first);
    for (let row = 0; row < count; row++) writeRow(first + row, buffer, row * stride);
    yield buffer.subarray(0, count * stride);
  }
}

type RowWriter = (row: number, target: Uint8Array, offset: number) => void;

function rowWriter(matrix: Matrix): RowWriter {
  const { content, columns } = matrix;
  switch (content.kind) {
    case "random":
      return randomRows(matrix, content);
    case "prefixed":
      return prefixedRows(matrix, content);
    case "computed": {
      const row = new Float32Array(columns);
      return (index, target, offset) => {
        content.fill(index, row);
        encode(matrix.type, row, target, offset);
      };
    }
    default:
      return content satisfies never;
  }
}

function randomRows(matrix: Matrix, content: Extract<Content, { kind: "random" }>): RowWriter {
  const { sigma, zeroRows = 0, matrixRows = matrix.rows } = content;
  const pool = poolOf(matrix.type, sigma);
  const random = createRandom(matrix.seed);
  return (row, target, offset) => {
    const isZero = row % matrixRows < zeroRows;
    if (isZero) encode(matrix.type, new Float32Array(matrix.columns), target, offset);
    else pool.fill(random, { target, offset, columns: matrix.columns });
  };
}

function prefixedRows(matrix: Matrix, content: Extract<Content, { kind: "prefixed" }>): RowWriter {
  const { type, columns } = matrix;
  const { sigma, prefixColumns, prefix } = content;
  const pool = poolOf(type, sigma);
  const random = createRandom(matrix.seed);
  // Whole pieces are encoded, so that super-blocks of which only a part is prefix come out whole.
  const encoded = Math.min(columns, Math.ceil(prefixColumns / pool.elements) * pool.elements);
  const head = new Float32Array(encoded);
  const headBytes = rowBytes(type, encoded);
  return (row, target, offset) => {
    for (let column = prefixColumns; column < encoded; column++) {
      head[column] = sigma * random.normal();
    }
    prefix(row, head.subarray(0, prefixColumns));
    encode(type, head, target, offset);
    pool.fill(random, { target, offset: offset + headBytes, columns: columns - encoded });
  };
}

interface Pool {
  /** Elements of a piece. */
  readonly elements: number;
  fill(
    random: Random,
    place: { readonly target: Uint8Array; readonly offset: number; readonly columns: number },
  ): void;
}

const pools = new Map<string, Pool>();

/** Pools are the same for every seed: which pieces are drawn is not. */
function poolOf(type: WeightType, sigma: number): Pool {
  const key = `${type} ${sigma}`;
  const known = pools.get(key);
  if (known !== undefined) return known;
  const elements = Math.max(32, tensorType(type).blockElements);
  const pieces = piecesOf(type);
  const random = createRandom(elements);
  const values = Float32Array.from({ length: pieces * elements }, () => sigma * random.normal());
  const bytes = new Uint8Array(rowBytes(type, values.length));
  encode(type, values, bytes, 0);
  const pool = makePool(bytes, { type, elements, pieces });
  pools.set(key, pool);
  return pool;
}

function piecesOf(type: WeightType): number {
  const { codes, blockElements } = weightFormat(type);
  if (codes === "lattice") return poolPiecesOfLattices;
  return blockElements > 32 ? poolPiecesOfSuperBlocks : poolPieces;
}

function makePool(
  bytes: Uint8Array,
  shape: { readonly type: WeightType; readonly elements: number; readonly pieces: number },
): Pool {
  const { type, elements, pieces } = shape;
  const pieceBytes = rowBytes(type, elements);
  return {
    elements,
    fill: (random, { target, offset, columns }) => {
      const end = offset + rowBytes(type, columns);
      for (let at = offset; at < end; at += pieceBytes) {
        const from = random.integer(pieces) * pieceBytes;
        const length = Math.min(pieceBytes, end - at);
        // A loop is faster than set for pieces of 18 to 128 bytes.
        for (let byte = 0; byte < length; byte++) target[at + byte] = bytes[from + byte]!;
      }
    },
  };
}

export function encode(
  type: WeightType,
  values: Float32Array,
  target: Uint8Array,
  offset: number,
): void {
  const codec = quantCodec(type);
  codec.quantise(values, 0, target, offset, values.length / codec.blockElements);
}
