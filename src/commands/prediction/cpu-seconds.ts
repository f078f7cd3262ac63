/**
 * How long the CPU takes for a token: for each product its rows times the seconds of a row of that type and length, and what
 * a token takes beside its products. Rows come from memory unless all that a token reads stays in the cache.
 *   T = Σ rows · rowSeconds + overheadSeconds; of a described processor, Σ bytes / readSpeed + layers · dispatchSeconds
 */
import { rowBytes } from "../../core/dtype.ts";
import { type Bytes, MiB, type Tokens } from "../../core/units.ts";
import type { RowSpeeds } from "../../devices/hardware/row-speeds.ts";
import { type CpuProfile, readSpeed } from "../../placement/hardware.ts";
import { bytesOfProducts, type ProductCount } from "./product-counts.ts";

/** Tokens of the prompt whose speed is predicted: as many as `hearth bench` reads. */
const promptTokens: Tokens = 128;

/** Between a half and the whole of the last-level cache of today's desktop processors (16 to 64 MB). */
const cachedBytes: Bytes = 16 * MiB;

export interface CpuTask {
  readonly cpu: CpuProfile;
  readonly layers: number;
  readonly counts: readonly ProductCount[];
  /** Of this machine; undefined for a described one, of which only the speed of reading is known. */
  readonly here: MeasuredHere | undefined;
}

/** What was measured of this machine for a model. */
export interface MeasuredHere {
  readonly rows: RowSpeeds;
  /** Of a token, beside its products. */
  readonly overheadSeconds: number;
}

/** Seconds of one token of an answer, at the beginning of a context. */
export function decodeSeconds({ cpu, layers, counts, here }: CpuTask): number {
  const isCached = bytesOfProducts(counts) <= cachedBytes;
  const rowSeconds = ({ type, columns }: ProductCount): number => {
    const measured = here?.rows.of({ type, columns });
    if (measured === undefined) return rowBytes(type, columns) / readSpeed(cpu, type);
    return isCached ? measured.cacheSeconds : measured.memorySeconds;
  };
  const products = counts.reduce((sum, count) => sum + count.rows * rowSeconds(count), 0);
  return products + (here?.overheadSeconds ?? layers * (cpu.dispatchSeconds ?? 0));
}

/** Tokens a second of a prompt of 128: arithmetic, all but the head, which only its last token needs. */
export function promptSpeed(task: CpuTask): number | undefined {
  const { cpu, counts, here } = task;
  const flops = cpu.promptFlopsPerSecond;
  if (here === undefined && flops === undefined) return undefined;
  const rowSeconds = ({ type, columns }: ProductCount): number =>
    here?.rows.of({ type, columns }).promptSeconds ?? (2 * columns * promptTokens) / (flops ?? 1);
  const body = counts.filter(({ isHead }) => !isHead);
  const products = body.reduce((sum, count) => sum + count.rows * rowSeconds(count), 0);
  const head = decodeSeconds({ ...task, counts: counts.filter(({ isHead }) => isHead) });
  return promptTokens / (products + head);
}
