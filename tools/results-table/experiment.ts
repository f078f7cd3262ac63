/** What a script of bench/engine saves: a few measures with median and spread, the machine, and the details behind. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { heading } from "../../src/cli/bench-output.ts";
import type { BenchReport } from "../../src/commands/bench/report.ts";
import type { Spread } from "../../src/commands/bench/statistics.ts";

export interface ExperimentReport extends Omit<BenchReport, "hearth_bench" | "results"> {
  readonly hearth_experiment: 1;
  /** What was asked, in a few words. */
  readonly title: string;
  readonly results: readonly Measure[];
}

interface Measure {
  readonly name: string;
  readonly unit: string;
  readonly value: Spread;
  /** What it should reach: "≤ 20 %". */
  readonly goal?: string;
}

/** Those of a folder, the newest first. */
export function readExperiments(folder: string): readonly ExperimentReport[] {
  const names = readdirSync(folder).filter((name) => name.endsWith(".json"));
  const reports = names
    .sort()
    .map((name): unknown => JSON.parse(readFileSync(join(folder, name), "utf8")));
  return reports.filter(isExperiment).sort((a, b) => b.date.localeCompare(a.date));
}

export function isExperiment(value: unknown): value is ExperimentReport {
  return (
    typeof value === "object" &&
    value !== null &&
    "hearth_experiment" in value &&
    value.hearth_experiment === 1
  );
}

export function asMarkdown(report: ExperimentReport): string {
  const rows = report.results.map(({ name, unit, value, goal = "" }) => {
    const spread = `${text(value.median)} (${text(value.low)}–${text(value.high)})`;
    return `| ${name} | ${spread} ${unit} | ${goal} |`;
  });
  return [
    `**${report.title}**`,
    heading(report, "median (least–greatest)"),
    ["| measure | value | goal |", "| --- | --- | --- |", ...rows].join("\n"),
  ].join("\n\n");
}

function text(value: number): string {
  return Number(value.toPrecision(3)).toString();
}
