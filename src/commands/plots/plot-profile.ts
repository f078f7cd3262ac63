/** A profile as a picture (SVG): cumulative activation curves of each layer and of the model. */

import type { Tokens } from "../../core/units.ts";
import { type ActivationCurve, neuronShareFor } from "../../sparsity/activation-curve.ts";
import { round, text } from "./svg.ts";

const ink = "#212529";
const grid = "#dee2e6";
const modelColour = "#d9480f";
const panel = { left: 90, top: 80, size: 480 };
const picture = { width: 840, height: 650 };
/** Points of a drawn curve: one for each two pixels; a curve of 10 000 neurons would show no more. */
const curvePoints = 240;
/** Lines of the legend that fit beside the panel. */
const legendLines = 24;
/** The share of activations that the paper reads off its Figure 5. */
const markedShare = 0.8;

/** What stands beside the curves. */
export interface CurveTexts {
  readonly title: string;
  readonly subtitle: string;
  readonly x: string;
  readonly y: string;
  readonly legend: string;
  /** Between "3 %" and "80 %". */
  readonly marked: string;
}

export interface PlottedCurves {
  readonly layers: readonly ActivationCurve[];
  /** Of all layers together. */
  readonly model?: ActivationCurve;
  /** What the others are compared with. */
  readonly dashed?: ActivationCurve;
  readonly texts: CurveTexts;
}

/** `curves`: of the layers, then of the model. */
export function plotProfile(
  curves: readonly ActivationCurve[],
  source: { readonly model: string; readonly tokens: Tokens; readonly rule: string },
): string {
  const model = curves.at(-1);
  return plotCurves({
    layers: curves.slice(0, -1),
    ...(model && { model }),
    texts: {
      title: "Which neurons make the activations",
      subtitle: `${source.model}, ${source.tokens} tokens; a neuron is ${source.rule}`,
      x: "neurons, most active first",
      y: "activations they make",
      legend: "neurons for 80 %",
      marked: "of neurons make",
    },
  });
}

export function plotCurves({ layers, model, dashed, texts }: PlottedCurves): string {
  const layerWidth = layers.length > legendLines ? 0.75 : 1.5;
  const models = model === undefined ? [] : [model];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${picture.width} ${picture.height}" font-family="sans-serif" font-size="13" fill="${ink}">`,
    `<rect width="${picture.width}" height="${picture.height}" fill="white"/>`,
    text(panel.left, 32, texts.title, 'font-size="18"'),
    text(panel.left, 54, texts.subtitle),
    ...axes(texts),
    ...layers.map((curve, i) => polyline(curve, colourOf(i, layers.length), layerWidth)),
    ...(dashed ? [polyline(dashed, ink, 1.5, ' stroke-dasharray="6 4"')] : []),
    ...models.map((curve) => polyline(curve, modelColour, 3)),
    ...models.flatMap((curve) => mark(curve, texts.marked)),
    ...legend(layers, models, texts.legend),
    "</svg>",
    "",
  ].join("\n");
}

function axes({ x: xText, y: yText }: CurveTexts): readonly string[] {
  const { left, top, size } = panel;
  const ticks = [0, 0.2, 0.4, 0.6, 0.8, 1].flatMap((share) => {
    const label = `${Math.round(100 * share)} %`;
    const [x, y] = [xOf(share), yOf(share)];
    return [
      line({ x1: left, x2: left + size, y1: y, y2: y }),
      line({ x1: x, x2: x, y1: top, y2: top + size }),
      text(left - 10, y + 4, label, 'text-anchor="end"'),
      text(x, top + size + 20, label, 'text-anchor="middle"'),
    ];
  });
  const middle = top + size / 2;
  return [
    ...ticks,
    text(left + size / 2, top + size + 46, xText, 'text-anchor="middle"'),
    text(26, middle, yText, `text-anchor="middle" transform="rotate(-90 26 ${middle})"`),
  ];
}

function polyline(curve: ActivationCurve, colour: string, width: number, more = ""): string {
  const neurons = curve.shares.length - 1;
  const points = Array.from({ length: curvePoints + 1 }, (_, i) => {
    const index = Math.round((i / curvePoints) * neurons);
    const share = curve.shares[index] ?? 0;
    return `${round(xOf(neurons === 0 ? 0 : index / neurons))},${round(yOf(share))}`;
  });
  return `<polyline points="${points.join(" ")}" fill="none" stroke="${colour}" stroke-width="${width}"${more}/>`;
}

/** Where the model's curve reaches 80 % of activations. */
function mark(model: ActivationCurve, marked: string): readonly string[] {
  const share = neuronShareFor(model, markedShare);
  const [x, y] = [xOf(share), yOf(markedShare)];
  const label = `${(100 * share).toFixed(1)} % ${marked} ${100 * markedShare} %`;
  return [
    `<circle cx="${round(x)}" cy="${round(y)}" r="5" fill="${modelColour}"/>`,
    // White around the letters, as curves pass behind them.
    text(x + 10, y + 20, label, 'stroke="white" stroke-width="4" paint-order="stroke"'),
  ];
}

function legend(
  layers: readonly ActivationCurve[],
  model: readonly ActivationCurve[],
  title: string,
): readonly string[] {
  const every = Math.max(1, Math.ceil(layers.length / (legendLines - 1)));
  const entries = [
    ...model.map((curve) => ({ curve, colour: modelColour })),
    ...layers
      .map((curve, i) => ({ curve, colour: colourOf(i, layers.length) }))
      .filter((_, i) => i % every === 0),
  ];
  const x = panel.left + panel.size + 24;
  return [
    text(x, panel.top + 4, title),
    ...entries.flatMap(({ curve, colour }, i) => {
      const y = panel.top + 24 + 20 * i;
      const share = `${(100 * neuronShareFor(curve, markedShare)).toFixed(1)} %`;
      return [
        `<rect x="${x}" y="${y - 9}" width="14" height="4" fill="${colour}"/>`,
        text(x + 22, y - 2, curve.name),
        text(x + 160, y - 2, share, 'text-anchor="end"'),
      ];
    }),
  ];
}

/** From the first layer's blue to the last one's green, through shades that stay apart from the model's orange. */
function colourOf(index: number, count: number): string {
  const hue = Math.round(250 - (130 * index) / Math.max(1, count - 1));
  return `hsl(${hue}, 55%, 55%)`;
}

function xOf(share: number): number {
  return panel.left + share * panel.size;
}

function yOf(share: number): number {
  return panel.top + (1 - share) * panel.size;
}

function line(ends: { x1: number; x2: number; y1: number; y2: number }): string {
  const { x1, x2, y1, y2 } = ends;
  return `<line x1="${round(x1)}" x2="${round(x2)}" y1="${round(y1)}" y2="${round(y2)}" stroke="${grid}"/>`;
}
