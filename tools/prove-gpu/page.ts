/** A proof as a page of Markdown. */
import type { Measure, ProofResult, SectionResult } from "./result.ts";
import { copyRate, predictionRatio, worstKernel, worstPrediction } from "./summary.ts";

const ofSoftware =
  "**A driver in software**: it shows that the proof runs and that results are right; its numbers say nothing of a card.";

export function provePage(result: ProofResult): string {
  const { adapter, sections, state } = result;
  const card =
    adapter === null ? "no card" : `${adapter.name} (${adapter.kind}, ${adapter.backend})`;
  const which = result.isWhole ? `${result.mode} form` : `${result.mode} form, some sections only`;
  const head = `# Proof on ${card}: ${state}

hearth ${result.hearth} ${result.commit ?? ""}, ${result.date}, ${which}, ${result.seconds.toFixed(0)} s. ${result.system}.
${adapter?.kind === "software" ? `\n${ofSoftware}\n` : ""}
${summaryLines(result).join("\n")}

| section | state | seconds | held | failed |
| --- | --- | --- | --- | --- |
${sections.map(row).join("\n")}
`;
  return [head, ...sections.map((section) => sectionText(section, copyRate(result)))].join("\n");
}

function summaryLines(result: ProofResult): readonly string[] {
  const kernel = worstKernel(result);
  const prediction = worstPrediction(result);
  const ratio = prediction && predictionRatio(prediction);
  return [
    `- Worst kernel: ${kernel === undefined ? "not measured" : `${kernel.measure.name}, ${percent(kernel.share)} of copy`}`,
    `- Worst prediction: ${prediction === undefined || ratio === undefined ? "not measured" : `${prediction.name}, measured ${ratio.toFixed(2)} of predicted`}`,
    `- Failed: ${
      result.sections
        .filter(({ state }) => state === "failed")
        .map(({ title }) => title)
        .join(", ") || (result.state === "running" ? "nothing so far" : "nothing")
    }`,
  ];
}

function row({ title, state, seconds, checks, faults }: SectionResult): string {
  const held = checks.filter(({ holds }) => holds).length;
  const failed = checks.length - held + faults.length;
  return `| ${cell(title)} | ${state} | ${seconds.toFixed(1)} | ${held} | ${failed} |`;
}

function sectionText(section: SectionResult, copy: number | undefined): string {
  const failed = section.checks.filter(({ holds }) => !holds);
  const held = section.checks.filter(({ holds }) => holds);
  const lines = [
    ...section.faults.map((fault) => `- FAILED: ${cell(fault)}`),
    ...failed.map(({ name, detail }) => `- DOES NOT HOLD: ${cell(`${name}: ${detail}`)}`),
    ...held.map(({ name, detail }) => `- holds: ${cell(detail ? `${name}: ${detail}` : name)}`),
    ...section.notes.map((note) => `- ${cell(note)}`),
  ];
  const table =
    section.measures.length === 0
      ? ""
      : `\n| measured | value | beside |
| --- | --- | --- |
${section.measures.map((measure) => measureRow(measure, copy)).join("\n")}\n`;
  return `## ${section.title}\n\n${lines.join("\n")}\n${table}`;
}

function measureRow(measure: Measure, copy: number | undefined): string {
  const { name, value, unit } = measure;
  return `| ${cell(name)} | ${number(value)} ${unit} | ${beside(measure, copy)} |`;
}

function beside({ value, against, unit }: Measure, copy: number | undefined): string {
  switch (against?.kind) {
    case undefined:
      return "";
    case "copy": {
      if (copy === undefined) return "";
      const wanted = against.target === undefined ? "" : `, wanted ${percent(against.target)}`;
      return `${percent(value / copy)} of copy${wanted}`;
    }
    case "prediction":
      return `${(value / against.value).toFixed(2)} of the predicted ${number(against.value)}`;
    case "at most":
      return `wanted: at most ${number(against.value)} ${unit}`;
    default:
      return against satisfies never;
  }
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}

function number(value: number): string {
  return value >= 1000 ? value.toFixed(0) : value.toPrecision(3);
}

/** A line of a list or table: what came from elsewhere may hold anything. */
function cell(text: string): string {
  return text.replace(/\s+/g, " ").replaceAll("|", "\\|").trim();
}
