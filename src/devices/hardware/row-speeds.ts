/**
 * How long the CPU takes for a row of one type and length: out of memory, and out of its cache, where arithmetic alone counts.
 * Both depend on the length (a row that is no multiple of a kernel's step has a slow end), and reading and arithmetic do
 * not quite overlap, so the lengths that a model has are measured, each once on a machine, and kept.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCpuBackend } from "../../backends/cpu/cpu-backend.ts";
import { isRecord } from "../../core/check-options.ts";
import { rowBytes, type WeightType } from "../../core/dtype.ts";
import { type Bytes, MiB } from "../../core/units.ts";
import { fileAccessError } from "../../io/open-file.ts";
import { isDuration, type KeptKind, KeptMeasurements } from "./kept-measurements.ts";
import { createProbe, medianSeconds, type ProbeKind, probeByte } from "./probe.ts";

/** Rows of matrices of this type, each of so many elements. */
export interface RowShape {
  readonly type: WeightType;
  readonly columns: number;
}

interface RowSpeed {
  /** Of a row times a vector, from memory. */
  readonly memorySeconds: number;
  /** The same from cache. */
  readonly cacheSeconds: number;
  /** Of a row times each of the 128 vectors of a prompt's step. */
  readonly promptSeconds: number;
}

type Product = Extract<ProbeKind, { readonly kind: "product" }>;

export interface RowSpeeds {
  /** @throws RangeError for a shape that was not asked for. */
  of(shape: RowShape): RowSpeed;
}

/** By `nameOf`. */
const kept: KeptKind<RowSpeed> = { file: "rows", entries: "speeds", version: 2, read: readSpeed };
/** Above the last-level cache of most desktop processors (64 MB): the rows at the beginning are gone when it ends. */
const memoryBytes: Bytes = 96 * MiB;
/**
 * What small models read for a token: more than the private caches of cores (1 to 2 MiB each), less than the last-level cache
 * (16 to 64 MB) that they share.
 */
const cachedBytes: Bytes = 8 * MiB;
/** Of the largest matrix. */
const matrixBytes: Bytes = 2 * MiB;
/** A prompt's product takes a hundred times as long for each row. */
const promptRows = 512;
/** Rows of a prompt's step: the default batch. */
const promptVectors = 128;
/** Runs of which the median counts; one from memory takes some milliseconds. */
const runs = 15;

/** Of each of `shapes`: what was measured before on this machine with so many threads, else a measurement now. */
export async function measuredRows(
  shapes: readonly RowShape[],
  threads: number | undefined,
): Promise<RowSpeeds> {
  const measurements = new KeptMeasurements(kept, threads);
  const known = measurements.all();
  const missing = shapes.filter((shape) => !known.has(nameOf(shape)));
  const speeds = missing.length === 0 ? known : await measure(missing, threads, known);
  if (missing.length > 0) await measurements.keep(speeds);
  return {
    of: (shape) => {
      const speed = speeds.get(nameOf(shape));
      if (speed === undefined) throw new RangeError(`${nameOf(shape)} was not asked for`);
      return speed;
    },
  };
}

/** By `nameOf`. */
type KnownSpeeds = ReadonlyMap<string, RowSpeed>;

function nameOf({ type, columns }: RowShape): string {
  return `${type} ${columns}`;
}

async function measure(
  shapes: readonly RowShape[],
  threads: number | undefined,
  known: KnownSpeeds,
): Promise<KnownSpeeds> {
  const speeds = new Map(known);
  using cpu = createCpuBackend(threads === undefined ? {} : { threads });
  using mapped = await writeProbeFile();
  using empty = await createProbe(cpu, { kind: "nothing" });
  const stepSeconds = await medianSeconds(empty.run, runs);
  for (const { type, columns } of shapes) {
    const name = nameOf({ type, columns });
    if (speeds.has(name)) continue;
    const secondsOf = async (shape: Pick<Product, "rows" | "matrices" | "vectors">) => {
      const file = mapped.path;
      using probe = await createProbe(cpu, { kind: "product", type, columns, file, ...shape });
      const seconds = await medianSeconds(probe.run, runs);
      return above(seconds, stepSeconds) / (shape.rows * (shape.matrices ?? 1));
    };
    // Between those of attention (square, or less) and of blocks (three to four times as high): each costs something beside
    // its rows, which is lost in a large one.
    const rows = Math.min(2 * columns, Math.ceil(matrixBytes / rowBytes(type, columns)));
    const matricesOf = (bytes: Bytes): number =>
      Math.max(1, Math.floor(bytes / (rows * rowBytes(type, columns))));
    speeds.set(name, {
      memorySeconds: await secondsOf({ rows, matrices: matricesOf(memoryBytes) }),
      cacheSeconds: await secondsOf({ rows, matrices: matricesOf(cachedBytes) }),
      promptSeconds: await secondsOf({ rows: promptRows, vectors: promptVectors }),
    });
  }
  return speeds;
}

/** As a model's file is mapped, in pages of 4 KiB: memory of larger pages would be read a quarter faster. */
async function writeProbeFile(): Promise<{ readonly path: string } & Disposable> {
  const folder = mkdtempSync(join(tmpdir(), "hearth-probe-"));
  const path = join(folder, "weights");
  try {
    await writeFile(path, new Uint8Array(memoryBytes).fill(probeByte));
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw fileAccessError(path, error);
  }
  return { path, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}

/** What is left of a measurement without the latency that it has in it; a tenth at least, whatever the noise. */
function above(seconds: number, latency: number): number {
  return Math.max(seconds - latency, seconds / 10);
}

function readSpeed(speed: unknown): RowSpeed | undefined {
  if (!isRecord(speed)) return undefined;
  const { memorySeconds, cacheSeconds, promptSeconds } = speed;
  return isDuration(memorySeconds) && isDuration(cacheSeconds) && isDuration(promptSeconds)
    ? { memorySeconds, cacheSeconds, promptSeconds }
    : undefined;
}
