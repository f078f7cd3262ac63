/** The operators' report as a table and a picture, from numbers that are known. */
import { describe, expect, it } from "vitest";
import { spreadOf } from "../../src/commands/bench/statistics.ts";
import { plotKernels } from "../../tools/kernels-figure/plot.ts";
import type { KernelsReport, OperatorResult } from "../../tools/kernels-figure/report.ts";
import { asMarkdown } from "../../tools/kernels-figure/table.ts";
import { resultsPage } from "../../tools/results-table/render.ts";

function result(operator: string, percent: number, ofDense: number): OperatorResult {
  return {
    device: operator === "csr" ? "PyTorch 1.13 (2 threads)" : "cpu (avx512, 2 threads)",
    operator,
    type: "F16",
    percent,
    bytes: percent * 1e6,
    seconds: spreadOf([ofDense]),
    bytes_per_second: (percent / 100 / ofDense) * 20e9,
    roof_bytes_per_second: 25e9,
    of_dense: spreadOf([ofDense, ofDense * 0.9, ofDense * 1.1]),
  };
}

const report: KernelsReport = {
  hearth_kernels: 1,
  date: "2026-01-02T03:04:05.000Z",
  hearth: "0.1.0",
  commit: "0123456789",
  machine: { cpu: "A & B", physical_cores: 2, memory_bytes: 2 ** 34, system: "linux", load: 3 },
  command: "npm run bench:kernels --",
  repetitions: 3,
  columns: 4096,
  matrix_bytes: 2 ** 28,
  cache_bytes: 2 ** 25,
  skipped: [{ name: "gpu", reason: "no graphics adapter was found" }],
  results: [
    result("read", 100, 0.8),
    result("dense", 100, 1),
    result("gather_dot", 100, 1.1),
    result("gather_dot", 1, 0.02),
    result("gather_dot", 10, 0.12),
    result("csr", 1, 0.3),
    result("csr", 100, 20),
  ],
};

describe("the report of the operators", () => {
  it("is a table by device with ratios, roof and what was left out", () => {
    const table = asMarkdown(report);
    expect(table).toContain("| 1 % | 10 % | 100 % |");
    expect(table).toContain(
      "| F16 gather_dot | 20.0 of 25.0 (80 %) | 2.00 (1.80–2.20) | 12.0 (10.8–13.2) | 110 (99.0–121) | 10.0 of 25.0 (40 %) | 10 % |",
    );
    expect(table).toContain("| F16 csr |");
    expect(table).toContain("Not measured: gpu: no graphics adapter was found");
    expect(table).toContain("Not a quiet machine");
  });

  it("is a picture in which what is too slow stands at the edge, and text is escaped", () => {
    const svg = plotKernels(report);
    expect(svg).toContain("A &amp; B");
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
    const [own = "", other = ""] = [...svg.matchAll(/polyline points="([^"]*)"/g)].map(
      ([, points = ""]) => points,
    );
    expect(own.split(" ")).toHaveLength(3);
    // 1 % is the left edge, 100 % the right one; 2000 % is above the top.
    expect(own.startsWith("80,")).toBe(true);
    expect(other.endsWith("440,120")).toBe(true);
  });

  it("stands in the results with its picture", () => {
    const text = resultsPage({ readme: [], reports: [], experiments: [], kernels: [report] });
    expect(text).toContain("](../bench/results/kernels.svg)");
    expect(text).toContain("F16 gather_dot");
    expect(text).toContain("`npm run bench:kernels --`");
  });
});
