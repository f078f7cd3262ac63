/**
 * Proves that chat templates render as Python's jinja2 does: random snippets, both sides, every difference counted.
 * Wants python3 with jinja2 3.1 (Debian: python3-jinja2).
 *   npm run prove:templates -- --count 20000 --seed 1 [--sample 600 --write FILE]
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { TemplateError } from "../src/text/jinja/errors.ts";
import type { Input } from "../src/text/jinja/input.ts";
import { compileTemplate } from "../src/text/jinja/template.ts";
import { Random } from "./prove-templates/random.ts";
import { makeSnippet } from "./prove-templates/snippets.ts";
import { variables } from "./prove-templates/words.ts";

type Result = { readonly renders: string } | { readonly fails: string };

interface Comparison {
  readonly template: string;
  readonly python: Result;
  readonly own: Result;
}

const { values: flags } = parseArgs({
  options: {
    count: { type: "string", default: "5000" },
    seed: { type: "string", default: "1" },
    /** Writes so many snippets with Python's results to a file. */
    sample: { type: "string", default: "0" },
    write: { type: "string" },
    show: { type: "string", default: "20" },
  },
});

function main(): void {
  const random = new Random(Number(flags.seed));
  const all = new Set<string>();
  while (all.size < Number(flags.count)) all.add(makeSnippet(random));
  const templates = [...all];
  const python = renderInPython(templates);
  const compared = templates.map((template, index) => {
    return { template, python: python[index] ?? { fails: "no result" }, own: renderHere(template) };
  });
  const usable = compared.filter(({ python: result }) => !hasAddress(result));
  report(usable, compared.length - usable.length);
  if (flags.write !== undefined) writeSample(usable, flags.write);
}

function renderInPython(templates: readonly string[]): readonly Result[] {
  const script = join(resolve(import.meta.dirname, sourceFolder()), "prove-templates/render.py");
  const input = JSON.stringify({ context: variables, templates });
  const run = spawnSync("python3", [script], { input, encoding: "utf8", maxBuffer: 2 ** 30 });
  if (run.status !== 0) throw new Error(`python3 failed: ${run.error?.message ?? run.stderr}`);
  return JSON.parse(run.stdout);
}

/** This file runs from build/tools/tools; the script stands in tools. */
function sourceFolder(): string {
  return import.meta.dirname.endsWith(join("build", "tools", "tools")) ? "../../../tools" : ".";
}

/** As in render.py. */
const now = new Date(2026, 2, 4, 5, 6, 7);

function renderHere(template: string): Result {
  try {
    return {
      renders: compileTemplate(template).render(variables as Record<string, Input>, { now }),
    };
  } catch (error) {
    if (error instanceof TemplateError) return { fails: `${error.kind}: ${error.message}` };
    throw new Error(`${JSON.stringify(template)} broke the engine`, { cause: error });
  }
}

/** Python prints addresses in memory, which differ in every run. */
function hasAddress(result: Result): boolean {
  return "renders" in result && / at 0x[0-9a-f]{6}/.test(result.renders);
}

function report(compared: readonly Comparison[], left: number): void {
  const counts = { equal: 0, bothFail: 0, silent: 0, acceptsMore: 0, acceptsLess: 0 };
  const shown: string[] = [];
  for (const comparison of compared) {
    const kind = judge(comparison);
    counts[kind]++;
    if (kind === "equal" || kind === "bothFail") continue;
    if (kind !== "acceptsLess" || process.env["SHOW_LESS"])
      shown.push(`${kind} ${JSON.stringify(comparison, null, 1)}`);
  }
  process.stdout.write(`${shown.slice(0, Number(flags.show)).join("\n")}\n`);
  process.stdout.write(
    `${JSON.stringify({ compared: compared.length, ...counts, withAddress: left })}\n`,
  );
  if (counts.silent + counts.acceptsMore > 0) process.exitCode = 1;
}

function judge({
  python,
  own,
}: Comparison): "equal" | "bothFail" | "silent" | "acceptsMore" | "acceptsLess" {
  if ("renders" in python) {
    if (!("renders" in own)) return "acceptsLess";
    return own.renders === python.renders ? "equal" : "silent";
  }
  return "renders" in own ? "acceptsMore" : "bothFail";
}

/** A longer text in the sample would prove no more. */
const maxSampleLength = 1000;

/** Four of five that Python renders: where it fails, there is less to get wrong. */
function writeSample(compared: readonly Comparison[], file: string): void {
  const count = Number(flags.sample);
  const rendered = compared.filter(
    ({ python }) => "renders" in python && python.renders.length < maxSampleLength,
  );
  const failed = compared.filter(({ python }) => "fails" in python);
  const chosen = [...rendered.slice(0, count * 0.8), ...failed.slice(0, count * 0.2)];
  const cases = chosen.map(({ template, python }) => {
    return "renders" in python ? { template, renders: python.renders } : { template };
  });
  writeFileSync(file, `${JSON.stringify({ variables, cases }, null, 1)}\n`);
}

main();
