/** What `npm run bench:kernels` writes, and how it is read: machine, commit and spread as in reports of `hearth bench`. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { BenchReport } from "../../src/commands/bench/report.ts";
import type { Spread } from "../../src/commands/bench/statistics.ts";

export interface KernelsReport extends Omit<BenchReport, "hearth_bench" | "results"> {
  readonly hearth_kernels: 1;
  /** Of every matrix. */
  readonly columns: number;
  readonly matrix_bytes: number;
  /** The last-level cache, as the machine tells it. */
  readonly cache_bytes: number;
  /** What was not measured, and why. */
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
  readonly results: readonly OperatorResult[];
}

export interface OperatorResult {
  /** "cpu (avx512, 2 threads)" */
  readonly device: string;
  /**
   * "read": the roof; "dense": the product of all rows; "gather_dot" and "axpy": of the active rows; "block": predictor,
   * list, up and down of the active neurons; "csr": PyTorch's.
   */
  readonly operator: string;
  readonly type: string;
  /** Of rows that are active. */
  readonly percent: number;
  /** Bytes of weights that are read. */
  readonly bytes: number;
  /** On the clock. */
  readonly seconds: Spread;
  /** Mean of the threads' own time; what other programs take is not in it. */
  readonly cpu_seconds?: Spread;
  /** By the threads' own time where it was taken. */
  readonly bytes_per_second: number;
  readonly roof_bytes_per_second: number;
  /** Time / time of the dense product of the same type in the same round. */
  readonly of_dense: Spread;
}

/** Those of kernels-*.json in a folder, the newest first. @throws Error naming a file that is none. */
export function readKernelsReports(folder: string): readonly KernelsReport[] {
  const names = readdirSync(folder).filter(isKernelsReport);
  const reports = names.map((name) => readKernelsReport(join(folder, name)));
  return reports.sort((a, b) => b.date.localeCompare(a.date));
}

export function isKernelsReport(name: string): boolean {
  return name.startsWith("kernels-") && name.endsWith(".json");
}

export function readKernelsReport(path: string): KernelsReport {
  const report: KernelsReport = JSON.parse(readFileSync(path, "utf8"));
  if (report.hearth_kernels === 1 && report.results.length > 0) return report;
  throw new Error(`${path}: expected what npm run bench:kernels -- --save writes`);
}

/** One operator of one type on one device, by rising density. */
export interface Series {
  readonly device: string;
  readonly operator: string;
  readonly type: string;
  readonly dense: OperatorResult | undefined;
  readonly points: readonly OperatorResult[];
}

/** All but the roof and the dense products, which the series carry. */
export function seriesOf({ results }: KernelsReport): readonly Series[] {
  const sparse = results.filter(({ operator }) => operator !== "read" && operator !== "dense");
  const keys = sparse.map(keyOf);
  return [...new Set(keys)].map((key) => {
    const points = sparse.filter((_, i) => keys[i] === key).sort((a, b) => a.percent - b.percent);
    const { device, operator, type } = points[0]!;
    const dense = results.find(
      (result) => result.operator === "dense" && result.device === device && result.type === type,
    );
    return { device, operator, type, dense, points };
  });
}

function keyOf({ device, operator, type }: OperatorResult): string {
  return `${device}/${operator}/${type}`;
}
