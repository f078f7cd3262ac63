/** What sparsity costs and saves, as a picture (SVG): perplexity and bytes over the share of weights skipped. */

import { axisTicks } from "../../core/axis-ticks.ts";
import { percent } from "../../core/numbers.ts";
import { type ComparisonTerms, type MethodReport, nameOf } from "../../sparsity/choose-best.ts";
import { round, text } from "./svg.ts";

const ink = "#212529";
const grid = "#dee2e6";
const limitColour = "#d9480f";
const picture = { width: 1060, height: 540 };
const size = 400;
const top = 80;
const colours: Readonly<Record<string, string>> = {
  gate: "#1971c2",
  output: "#2f9e44",
  input: "#c2255c",
  mlp: "#9c36b5",
  sign: "#e67700",
};

const middle = 'text-anchor="middle"';

interface Panel {
  readonly left: number;
  readonly title: string;
  readonly value: (report: MethodReport) => number;
  /** The value at the top and bottom of the panel. */
  readonly highest: number;
  readonly lowest: number;
  readonly ticks: readonly number[];
  readonly label: (value: number) => string;
}

/** `methods`: the dense one first. */
export function plotQuality(
  methods: readonly MethodReport[],
  source: ComparisonTerms & { readonly model: string },
): string {
  const { model, maxPerplexityLoss, matrices } = source;
  const dense = methods.find(({ method }) => method === "dense");
  const denseBytes = dense?.bytesPerToken ?? Number.NaN;
  const loss = panelOfLoss(methods, maxPerplexityLoss);
  const bytes: Panel = {
    left: 600,
    title: `${matrices} bytes a token, of the dense model's`,
    value: (report) => report.bytesPerToken / denseBytes,
    ...enclosing(0, Math.max(1, ...methods.map((report) => report.bytesPerToken / denseBytes))),
    label: (value) => `${Math.round(100 * value)} %`,
  };
  const y = yOf(loss, maxPerplexityLoss);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${picture.width} ${picture.height}" font-family="sans-serif" font-size="13" fill="${ink}">`,
    `<rect width="${picture.width}" height="${picture.height}" fill="white"/>`,
    text(loss.left, 32, `What skipping neurons costs and saves: ${model}`, 'font-size="18"'),
    ...[loss, bytes].flatMap((panel) => [...axes(panel), ...curves(panel, methods)]),
    `<line x1="${loss.left}" x2="${loss.left + size}" y1="${y}" y2="${y}" stroke="${limitColour}" stroke-dasharray="6 4"/>`,
    text(
      loss.left + 6,
      y - 6,
      `asked: at most ${percent(maxPerplexityLoss, 2)}`,
      `fill="${limitColour}"`,
    ),
    "</svg>",
    "",
  ].join("\n");
}

/** Up to ten times the asked loss: what costs more is drawn at the edge, so that the rest can be distinguished. */
function panelOfLoss(methods: readonly MethodReport[], maxPerplexityLoss: number): Panel {
  const most = Math.max(0.01, 10 * maxPerplexityLoss);
  const losses = methods.map(({ perplexityLoss }) => perplexityLoss);
  const highest = Math.min(most, Math.max(2 * maxPerplexityLoss, 0.002, ...losses));
  const lowest = Math.max(-most, Math.min(0, ...losses));
  const range = enclosing(lowest, highest);
  return {
    left: 90,
    title: "perplexity lost",
    value: ({ perplexityLoss }) => Math.min(range.highest, Math.max(range.lowest, perplexityLoss)),
    ...range,
    label: (loss) => percent(loss, 2),
  };
}

/** Round values at both ends of a panel and between them. */
function enclosing(lowest: number, highest: number): Pick<Panel, "lowest" | "highest" | "ticks"> {
  const ticks = axisTicks(lowest, highest, 4);
  return { ticks, lowest: ticks[0] ?? lowest, highest: ticks.at(-1) ?? highest };
}

function axes(panel: Panel): readonly string[] {
  const { left, title, label } = panel;
  const values = panel.ticks.flatMap((value) => {
    const y = yOf(panel, value);
    const colour = value === 0 ? ink : grid;
    return [
      line({ x1: left, x2: left + size, y1: y, y2: y }, colour),
      text(left - 8, y + 4, label(value), 'text-anchor="end"'),
    ];
  });
  const shares = [0, 0.25, 0.5, 0.75, 1].flatMap((part) => {
    const x = left + part * size;
    return [
      line({ x1: x, x2: x, y1: top, y2: top + size }),
      text(x, top + size + 20, `${Math.round(100 * part)} %`, middle),
    ];
  });
  return [
    ...values,
    ...shares,
    text(left, top - 14, title),
    text(left + size / 2, top + size + 38, "skipped: neurons, or inputs of every matrix", middle),
  ];
}

/** Thresholds of one score are a curve; other methods are points. */
function curves(panel: Panel, methods: readonly MethodReport[]): readonly string[] {
  const point = (report: MethodReport): string =>
    `${round(panel.left + report.skippedShare * size)},${round(yOf(panel, panel.value(report)))}`;
  const scores = ["gate", "output", "input"].flatMap((score) => {
    const reports = methods.filter(({ table }) => table?.score === score);
    if (reports.length === 0) return [];
    const points = reports.map(point);
    const last = (points.at(-1) ?? "0,0").split(",").map(Number);
    return [
      `<polyline points="${points.join(" ")}" fill="none" stroke="${colours[score]}" stroke-width="2"/>`,
      ...points.map((at) => dot(at, colours[score] ?? ink)),
      text((last[0] ?? 0) + 8, (last[1] ?? 0) + 4, `${score} score`, `fill="${colours[score]}"`),
    ];
  });
  const points = methods
    .filter(({ method, table }) => method !== "dense" && table === undefined)
    .flatMap((report) => {
      const [x = 0, y = 0] = point(report).split(",").map(Number);
      const colour = colours[report.method] ?? ink;
      return [
        dot(`${x},${y}`, colour),
        text(x - 8, y - 10, nameOf(report), `fill="${colour}" text-anchor="end"`),
      ];
    });
  return [...scores, ...points];
}

function dot(at: string, colour: string): string {
  const [x, y] = at.split(",");
  return `<circle cx="${x}" cy="${y}" r="4" fill="${colour}"/>`;
}

function yOf({ highest, lowest }: Panel, value: number): number {
  return round(top + ((highest - value) / (highest - lowest)) * size);
}

function line(
  ends: { x1: number; x2: number; y1: number; y2: number },
  colour: string = grid,
): string {
  const { x1, x2, y1, y2 } = ends;
  return `<line x1="${round(x1)}" x2="${round(x2)}" y1="${round(y1)}" y2="${round(y2)}" stroke="${colour}"/>`;
}
