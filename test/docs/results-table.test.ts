/** docs/RESULTS.md holds bench/results, all of it; README's table the part that is compared with llama.cpp. */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { spreadOf } from "../../src/commands/bench/statistics.ts";
import type { BenchReport, BenchResult } from "../../src/index.ts";
import type { ExperimentReport } from "../../tools/results-table/experiment.ts";
import { updateReadme } from "../../tools/results-table/readme-table.ts";
import { type Results, readResults, resultsPage } from "../../tools/results-table/render.ts";

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
    against_llama_bench: {
      program: "llama-bench b1 (c)",
      tokens_per_second: spreadOf([10]),
      ratio: spreadOf([0.8]),
    },
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

const none: Results = { readme: [], reports: [], experiments: [], kernels: [] };
const results = readResults(join(project, "bench/results"));

describe("docs/RESULTS.md", () => {
  it("is up to date with bench/results (npm run results-table)", () => {
    expect(results.readme.length).toBeGreaterThan(0);
    expect(results.experiments.length).toBeGreaterThan(0);
    const page = readFileSync(join(project, "docs/RESULTS.md"), "utf8");
    expect(page).toBe(resultsPage(results));
  });

  it("names machine, commit, date and spread, and shows what was lost, against what", () => {
    const text = resultsPage({ ...none, reports: [report(0.1)] });
    for (const part of [
      "Some CPU, 2 cores, 16.0 GiB",
      "abc1234567",
      "2026-01-02",
      "| pp128 | 25.0 (20.0–30.0) |",
      "| llama-bench b1 (c) tokens/s | ratio to llama-bench | other 1.0 tokens/s |",
      "0.500 (0.400–0.600) |",
      "4.0 of 8.0 (50 %)",
      "`hearth bench m.gguf`",
    ]) {
      expect(text).toContain(part);
    }
    expect(text).not.toContain("Not a quiet machine");
    expect(resultsPage({ ...none, reports: [report(3)] })).toContain("Not a quiet machine");
    expect(resultsPage({ ...none, readme: [report(3)] })).toContain("Not a quiet machine");
    expect(resultsPage(none)).toContain("Nothing has been measured");
  });

  it("shows experiments with their goals", () => {
    const { hearth_bench: _, ...shared } = report(0);
    const experiment: ExperimentReport = {
      ...shared,
      hearth_experiment: 1,
      title: "Overlap",
      results: [{ name: "waiting", unit: "%", value: spreadOf([10, 12, 11]), goal: "≤ 20 %" }],
    };
    const text = resultsPage({ ...none, experiments: [experiment] });
    expect(text).toContain("**Overlap**");
    expect(text).toContain("| waiting | 11 (10–12) % | ≤ 20 % |");
  });
});

describe("README's results", () => {
  const markers = "a\n<!-- results -->\nold\n<!-- /results -->\nb\n";

  it("are up to date with bench/results/readme (npm run results-table)", () => {
    const readme = readFileSync(join(project, "README.md"), "utf8");
    expect(readme).toBe(updateReadme(readme, results.readme));
  });

  it("are a row for each model and method, with date, commit and ratios to each baseline", () => {
    const text = updateReadme(markers, [report(0.1)]);
    expect(text).not.toContain("old");
    expect(text.split("\n").filter((line) => line.startsWith("|"))).toEqual([
      "| model | size | sparsity | tg64, tokens/s | of the read roof | tg64 × llama.cpp | pp128, tokens/s | pp128 × node-llama-cpp |",
      "| --- | --- | --- | --- | --- | --- | --- | --- |",
      "| m | 512.0 MiB | dense | 8.00 | 50 % | 0.80 (0.80–0.80) | 25.0 | 0.50 (0.40–0.60) |",
    ]);
    for (const part of [
      "Some CPU, 2 cores, 16.0 GiB",
      "load 0.1; cpu (avx512, 2 threads). hearth 0.1.0, 2026-01-02 at abc1234567.",
      "Medians of 3 rounds",
      "llama.cpp is native llama-bench b1 (c), measured in turn.",
      "other 1.0 is llama.cpp through its Node wrapper",
    ]) {
      expect(text).toContain(part);
    }
    expect(text).not.toContain("Not a quiet machine");
    expect(updateReadme(text, [report(0.1), report(3)])).toContain("Not a quiet machine");
  });

  it("are refused where they cannot stand in one table", () => {
    const one = report(0);
    const elsewhere = { ...one, machine: { ...one.machine, cpu: "Other CPU" } };
    expect(() => updateReadme(markers, [one, elsewhere])).toThrow("Some CPU and Other CPU");
    const longer = {
      ...one,
      results: one.results.map((row) => ({ ...row, test: `${row.test}0` })),
    };
    expect(() => updateReadme(markers, [one, longer])).toThrow("tg64 and tg640");
    const many = Array.from({ length: 9 }, (_, i) => ({
      ...one,
      results: one.results.map((row) => ({ ...row, model: `m${i}.gguf` })),
    }));
    expect(() => updateReadme(markers, many)).toThrow("9 rows; expected at most 8");
    expect(() => updateReadme("no markers", [])).toThrow("<!-- results -->");
  });
});
