/** Keys and values in the graphics card's layout as the bytes of ops/state-parts.ts, and back. */
import type { Bytes } from "../../core/units.ts";
import type { KvCells } from "../../ops/kv-shape.ts";
import { readHalf, writeHalf } from "../../quant/half.ts";
import { headStride } from "./kernels/kv.ts";
import { blockCountOf, blocksWords } from "./kernels/kv-blocks.ts";

/** A head, or a block of q8_0: what both layouts have one after another. */
interface Units {
  readonly ofPosition: number;
  readonly hostBytes: Bytes;
  readonly gpuBytes: Bytes;
}

/** Elements of a block; on the host a half, then its codes; on the card an f32 in place of the half. */
const blockElements = 32;

/** `gpu`: whole positions of the keys, or of the values. */
export function cellsToHost(gpu: Uint8Array, cells: KvCells, kind: "keys" | "values"): Uint8Array {
  const { hostBytes, gpuBytes } = unitsOf(cells, kind);
  if (hostBytes === gpuBytes) return gpu;
  const count = gpu.length / gpuBytes;
  const host = new Uint8Array(count * hostBytes);
  const words = new DataView(gpu.buffer, gpu.byteOffset, gpu.byteLength);
  for (let unit = 0; unit < count; unit++) {
    const [from, to] = [unit * gpuBytes, unit * hostBytes];
    if (cells.type === "q8_0") {
      writeHalf(host, to, words.getFloat32(from, true));
      host.set(gpu.subarray(from + 4, from + 4 + blockElements), to + 2);
    } else {
      host.set(gpu.subarray(from, from + hostBytes), to);
    }
  }
  return host;
}

/** The padding of heads becomes 0. */
export function cellsToGpu(
  host: Uint8Array,
  cells: KvCells,
  kind: "keys" | "values",
): Uint8Array<ArrayBuffer> {
  const { hostBytes, gpuBytes } = unitsOf(cells, kind);
  if (hostBytes === gpuBytes) return Uint8Array.from(host);
  const count = host.length / hostBytes;
  const gpu = new Uint8Array(count * gpuBytes);
  const words = new DataView(gpu.buffer);
  for (let unit = 0; unit < count; unit++) {
    const [from, to] = [unit * hostBytes, unit * gpuBytes];
    if (cells.type === "q8_0") {
      words.setFloat32(to, readHalf(host, from), true);
      gpu.set(host.subarray(from + 2, from + 2 + blockElements), to + 4);
    } else {
      gpu.set(host.subarray(from, from + hostBytes), to);
    }
  }
  return gpu;
}

/** Of the keys, or the values, of one position. */
export function cellBytes(cells: KvCells, kind: "keys" | "values"): Bytes {
  const { ofPosition, gpuBytes } = unitsOf(cells, kind);
  return ofPosition * gpuBytes;
}

function unitsOf({ kvHeads, keyWidth, valueWidth, type }: KvCells, kind: "keys" | "values"): Units {
  const width = kind === "keys" ? keyWidth : valueWidth;
  if (type === "q8_0") {
    const ofPosition = blockCountOf(kvHeads, width);
    return { ofPosition, hostBytes: 2 + blockElements, gpuBytes: 4 * blocksWords(blockElements) };
  }
  const element = type === "f32" ? 4 : 2;
  return {
    ofPosition: kvHeads,
    hostBytes: element * width,
    gpuBytes: element * headStride(width),
  };
}
