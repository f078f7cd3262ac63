/**
 * The operators as a picture (SVG), after the paper's figure of neuron-aware operators: time relative to the dense
 * product over the share of active neurons, a line for each type, beside the ideal. Both axes are logarithmic, so
 * that the ideal is straight and 1 % can be told from 2 %.
 */
import { percent } from "../../src/core/numbers.ts";
import { type KernelsReport, type Series, seriesOf } from "./report.ts";

const ink = "#212529";
const grid = "#dee2e6";
const idealColour = "#868e96";
/** A hue for each family: plain types, 8 bits and less, K-quants. */
const colours: Readonly<Record<string, string>> = {
  F32: "#1864ab",
  F16: "#339af0",
  BF16: "#22b8cf",
  Q8_0: "#2b8a3e",
  Q5_0: "#66a80f",
  Q5_1: "#94d82d",
  Q4_0: "#e67700",
  Q4_1: "#fcc419",
  Q6_K: "#862e9c",
  Q5_K: "#be4bdb",
  Q4_K: "#f06595",
};
const panelSize = 360;
const panelGap = 90;
const left = 80;
const top = 120;
const legendRow = 22;
const lowest = 0.01;
/** What takes longer is drawn at the edge. */
const highest = 10;
const shares = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1];
const times = [...shares, 2, 5, 10];
const titles: Readonly<Record<string, string>> = {
  gather_dot: "rows · x (gate, up)",
  axpy: "Σ a · row (down)",
  block: "predictor, up and down",
};

export function plotKernels(report: KernelsReport): string {
  const series = seriesOf(report);
  const panels = panelsOf(series);
  const types = Object.keys(colours).filter((type) =>
    series.some((one) => one.type === type && !isOther(one)),
  );
  const others = series.filter(isOther);
  const width = left + panels.length * (panelSize + panelGap);
  const perRow = Math.max(1, Math.floor((width - left) / 100));
  const legendTop = top + panelSize + 80;
  const rows = Math.ceil((types.length + 1) / perRow) + others.length;
  const height = legendTop + rows * legendRow + 10;
  const { machine, commit, date } = report;
  const place = [machine.cpu, commit, date.slice(0, 10), `load ${machine.load}`];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="13" fill="${ink}">`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    text(left, 34, "Neuron-aware operators beside the dense product", 'font-size="18"'),
    text(left, 58, place.filter((part) => part !== null).join(", ")),
    ...panels.flatMap((panel, i) => drawPanel(panel, left + i * (panelSize + panelGap))),
    ...legend(types, others, { top: legendTop, perRow }),
    "</svg>",
    "",
  ].join("\n");
}

interface Panel {
  readonly title: string;
  readonly device: string;
  readonly series: readonly Series[];
}

/** One for each operator on each device of hearth; other programs' lines are drawn into the first. */
function panelsOf(series: readonly Series[]): readonly Panel[] {
  const own = series.filter((one) => !isOther(one));
  const keys = [...new Set(own.map(({ device, operator }) => `${device}/${operator}`))];
  return keys.map((key, i) => {
    const members = own.filter(({ device, operator }) => `${device}/${operator}` === key);
    const { device = "", operator = "" } = members[0] ?? {};
    const others = i === 0 ? series.filter(isOther) : [];
    return { title: titles[operator] ?? operator, device, series: [...members, ...others] };
  });
}

function isOther({ operator }: Series): boolean {
  return titles[operator] === undefined;
}

function drawPanel(panel: Panel, x: number): readonly string[] {
  const middle = x + panelSize / 2;
  const labelY = top + panelSize / 2;
  return [
    text(x, top - 30, panel.title, 'font-weight="bold"'),
    text(x, top - 12, panel.device),
    ...axes(x),
    text(middle, top + panelSize + 42, "active neurons", 'text-anchor="middle"'),
    text(
      x - 60,
      labelY,
      "time, of the dense product's",
      `text-anchor="middle" transform="rotate(-90 ${x - 60} ${labelY})"`,
    ),
    line([x, yOf(lowest)], [x + panelSize, yOf(1)], idealLine),
    line([x, yOf(1)], [x + panelSize, yOf(1)], `stroke="${ink}"`),
    ...panel.series.flatMap((series) => drawSeries(series, x)),
  ];
}

const idealLine = `stroke="${idealColour}" stroke-width="2" stroke-dasharray="3 4"`;

function axes(x: number): readonly string[] {
  const stroke = `stroke="${grid}"`;
  return [
    ...shares.flatMap((share) => {
      const at = x + xOf(share);
      return [
        line([at, top], [at, top + panelSize], stroke),
        text(at, top + panelSize + 20, percent(share, 0), 'text-anchor="middle"'),
      ];
    }),
    ...times.flatMap((share) => [
      line([x, yOf(share)], [x + panelSize, yOf(share)], stroke),
      text(x - 8, yOf(share) + 4, percent(share, 0), 'text-anchor="end"'),
    ]),
  ];
}

/** The line through the medians, and a bar from the least to the greatest at each. */
function drawSeries(series: Series, x: number): readonly string[] {
  const colour = isOther(series) ? ink : (colours[series.type] ?? ink);
  const dash = isOther(series) ? ' stroke-dasharray="8 4"' : "";
  const points = series.points.map(({ percent: share, of_dense: time }) => ({
    at: round(x + xOf(share / 100)),
    y: yOf(time.median),
    low: yOf(time.low),
    high: yOf(time.high),
  }));
  const path = points.map(({ at, y }) => `${at},${y}`).join(" ");
  return [
    `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"${dash}/>`,
    ...points.flatMap(({ at, y, low, high }) => [
      line([at, low], [at, high], `stroke="${colour}"`),
      `<circle cx="${at}" cy="${y}" r="2.5" fill="${colour}"/>`,
    ]),
  ];
}

function legend(
  types: readonly string[],
  others: readonly Series[],
  place: { readonly top: number; readonly perRow: number },
): readonly string[] {
  const entries = [
    { name: "ideal", stroke: idealLine },
    ...types.map((type) => ({ name: type, stroke: `stroke="${colours[type]}" stroke-width="3"` })),
  ];
  const rows = Math.ceil(entries.length / place.perRow);
  const entry = (name: string, stroke: string, [x, y]: readonly [number, number]): string[] => [
    line([x, y - 4], [x + 24, y - 4], stroke),
    text(x + 30, y, name),
  ];
  return [
    ...entries.flatMap(({ name, stroke }, i) => {
      const row = Math.floor(i / place.perRow);
      const at = [left + 100 * (i % place.perRow), place.top + row * legendRow] as const;
      return entry(name, stroke, at);
    }),
    ...others.flatMap(({ device, operator, type }, i) =>
      entry(
        `${device}: ${type} ${operator}, of its own dense product`,
        `stroke="${ink}" stroke-width="2" stroke-dasharray="8 4"`,
        [left, place.top + (rows + i) * legendRow],
      ),
    ),
  ];
}

function xOf(share: number): number {
  return (Math.log(share / lowest) / Math.log(1 / lowest)) * panelSize;
}

function yOf(time: number): number {
  const inside = Math.min(highest, Math.max(lowest, time));
  const part = Math.log(inside / lowest) / Math.log(highest / lowest);
  return round(top + (1 - part) * panelSize);
}

function line(
  from: readonly [number, number],
  to: readonly [number, number],
  attributes: string,
): string {
  return `<line x1="${round(from[0])}" y1="${round(from[1])}" x2="${round(to[0])}" y2="${round(to[1])}" ${attributes}/>`;
}

function text(x: number, y: number, content: string, attributes = ""): string {
  const escaped = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return `<text x="${round(x)}" y="${round(y)}" ${attributes}>${escaped}</text>`;
}

function round(pixels: number): number {
  return Math.round(pixels * 100) / 100;
}
