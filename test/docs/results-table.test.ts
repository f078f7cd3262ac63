/** README's results are those of bench/results, all of them. */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { spreadOf } from "../../src/commands/bench/statistics.ts";
import type { BenchReport, BenchResult } from "../../src/index.ts";
import { readKernelsReports } from "../../tools/kernels-figure/report.ts";
import { type ExperimentReport, readExperiments } from "../../tools/results-table/experiment.ts";
import { readReports, updateReadme } from "../../tools/results-table/render.ts";

const project = resolve(import.meta.dirname, "../..");

function report(load: number): BenchReport {
  const shared = { model: "m.gguf", parameters: 1.1e9, file_bytes: 2 ** 29, quant: "Q4_0" };
  const placed = { ...shared, device: "cpu (avx512, 2 threads)", sparsity: "dense" };
  const lost: BenchResult = {
    ...placed,
    test: "pp128",
    tokens_per_second: spreadOf([30, 20, 25]),
    against: {
      program: "other 1.0",
      tokens_per_second: spreadOf([50]),
      ratio: spreadOf([0.5, 0.4, 0.6]),
    },
  };
  const won: BenchResult = {
    ...placed,
    test: "tg64",
    tokens_per_second: spreadOf([8]),
    bytes_per_token: 5e8,
    bytes_per_second: 4e9,
    roof_bytes_per_second: 8e9,
  };
  return {
    hearth_bench: 1,
    date: "2026-01-02T03:04:05.000Z",
    hearth: "0.1.0",
    commit: "abc1234567",
    machine: { cpu: "Some CPU", physical_cores: 2, memory_bytes: 2 ** 34, system: "linux", load },
    command: "hearth bench m.gguf",
    repetitions: 3,
    results: [lost, won],
  };
}

describe("README's results", () => {
  it("are up to date with bench/results (npm run results-table)", () => {
    const readme = readFileSync(join(project, "README.md"), "utf8");
    const results = join(project, "bench/results");
    const made = updateReadme(readme, {
      reports: readReports(results),
      experiments: readExperiments(results),
      kernels: readKernelsReports(results),
    });
    expect(readme).toBe(made);
  });

  it("name machine, commit, date and spread, and show what was lost", () => {
    const text = updateReadme("a\n<!-- results -->\nold\n<!-- /results -->\nb\n", {
      reports: [report(0.1)],
    });
    expect(text).not.toContain("old");
    for (const part of [
      "Some CPU, 2 cores, 16.0 GiB",
      "abc1234567",
      "2026-01-02",
      "| pp128 | 25.0 (20.0–30.0) |",
      "0.500 (0.400–0.600) |",
      "4.0 of 8.0 (50 %)",
      "`hearth bench m.gguf`",
    ]) {
      expect(text).toContain(part);
    }
    expect(text).not.toContain("Not a quiet machine");
    expect(updateReadme(text, { reports: [report(3)] })).toContain("Not a quiet machine");
    expect(() => updateReadme("no markers", { reports: [] })).toThrow("<!-- results -->");
  });

  it("show experiments with their goals", () => {
    const { hearth_bench: _, ...shared } = report(0);
    const experiment: ExperimentReport = {
      ...shared,
      hearth_experiment: 1,
      title: "Overlap",
      results: [{ name: "waiting", unit: "%", value: spreadOf([10, 12, 11]), goal: "≤ 20 %" }],
    };
    const markers = "<!-- results --><!-- /results -->";
    const text = updateReadme(markers, { reports: [], experiments: [experiment] });
    expect(text).toContain("**Overlap**");
    expect(text).toContain("| waiting | 11 (10–12) % | ≤ 20 % |");
  });
});
