/** A picture of a plan as SVG: hot and cold neurons or experts of each layer, and tokens per second over the budget. */

import { axisTicks } from "../../core/axis-ticks.ts";
import { significant } from "../../core/numbers.ts";
import { type Bytes, formatBytes, GiB, MiB } from "../../core/units.ts";
import { hotUnits } from "../../placement/describe-plan.ts";
import { type BudgetPoint, gpuDevice, type Plan } from "../../placement/plan.ts";
import { round, text } from "./svg.ts";

const colours = {
  hot: "#d9480f",
  cold: "#4c6ef5",
  resting: "#adb5bd",
  ink: "#212529",
  grid: "#dee2e6",
};

/** A panel's place in the picture, in pixels: inside its axes. */
interface Panel {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

const picture = { width: 960, height: 760 };
const layerPanel: Panel = { left: 80, top: 100, width: 840, height: 230 };
const curvePanel: Panel = { left: 80, top: 440, width: 840, height: 240 };

export function plotPlan(plan: Plan): string {
  const budget = formatBytes(plan.inputs.budgetBytes);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${picture.width} ${picture.height}" font-family="sans-serif" font-size="13" fill="${colours.ink}">`,
    `<rect width="${picture.width}" height="${picture.height}" fill="white"/>`,
    text(80, 34, `Placement within ${budget} on ${plan.hardwareName}`, 'font-size="18"'),
    text(80, 56, summary(plan)),
    ...layerBars(plan),
    ...budgetCurve(plan),
    "</svg>",
    "",
  ].join("\n");
}

function summary(plan: Plan): string {
  const share = (100 * plan.gpuActivationShare).toFixed(1);
  return `${significant(plan.predictedTokensPerSecond, 4)} tokens/s predicted, ${share} % of activations on the GPU, GPU ${formatBytes(plan.gpuBytes)}, CPU ${formatBytes(plan.cpuBytes)}`;
}

function layerBars(plan: Plan): readonly string[] {
  const { left, top, width, height } = layerPanel;
  const slot = width / Math.max(1, plan.layers.length);
  const largest = plan.layers.reduce((found, { unitCount }) => Math.max(found, unitCount), 1);
  const unitTicks = axisTicks(0, largest, 4);
  const most = unitTicks.at(-1) ?? largest;
  const bars = plan.layers.flatMap((layer, index) => {
    const hot = (hotUnits(layer) / most) * height;
    const cold = (layer.unitCount / most) * height - hot;
    const x = left + index * slot + slot * 0.1;
    const coldColour = layer.attentionDevice === gpuDevice ? colours.cold : colours.resting;
    return [
      bar({ x, y: top + height - hot, width: slot * 0.8, height: hot, colour: colours.hot }),
      bar({ x, y: top + height - hot - cold, width: slot * 0.8, height: cold, colour: coldColour }),
    ];
  });
  const labelEvery = Math.ceil(plan.layers.length / 20);
  const labels = plan.layers.flatMap((_, index) =>
    index % labelEvery === 0
      ? [
          text(
            left + (index + 0.5) * slot,
            top + height + 18,
            String(index),
            'text-anchor="middle"',
          ),
        ]
      : [],
  );
  return [
    ...verticalAxis(layerPanel, unitTicks, unitNames(plan)),
    ...bars,
    ...labels,
    text(left + width / 2, top + height + 38, "layer", 'text-anchor="middle"'),
    ...legend(),
  ];
}

function unitNames({ layers }: Plan): string {
  const names = new Set(layers.map(({ unit }) => `${unit}s`));
  return [...names].join(" and ");
}

function legend(): readonly string[] {
  const entries = [
    ["hot (GPU)", colours.hot],
    ["cold (CPU)", colours.cold],
    ["layer on the CPU as a whole", colours.resting],
  ] as const;
  return entries.flatMap(([label, colour], index) => {
    const x = layerPanel.left + 130 * index;
    return [bar({ x, y: 68, width: 12, height: 12, colour }), text(x + 18, 79, label)];
  });
}

interface ShownCurve {
  readonly here: BudgetPoint;
  readonly points: readonly BudgetPoint[];
  readonly maxBytes: Bytes;
  readonly maxSpeed: number;
}

function shownCurve(plan: Plan): ShownCurve {
  const here: BudgetPoint = {
    budgetBytes: plan.inputs.budgetBytes,
    predictedTokensPerSecond: plan.predictedTokensPerSecond,
  };
  const points = [...plan.curve, ...plan.further, here].sort(
    (a, b) => a.budgetBytes - b.budgetBytes,
  );
  const maxSpeed = points.reduce(
    (most, point) => Math.max(most, point.predictedTokensPerSecond),
    1e-9,
  );
  // What lies far beyond the budget that buys the best speed is a flat line: it is left out.
  const enough = points.find(({ predictedTokensPerSecond: speed }) => speed >= 0.999 * maxSpeed);
  const shownBytes = Math.max(1.25 * (enough?.budgetBytes ?? 0), 1.1 * here.budgetBytes);
  const maxBytes = Math.max(1, Math.min(shownBytes, points.at(-1)?.budgetBytes ?? 1));
  const shown = points.filter(({ budgetBytes }) => budgetBytes <= maxBytes);
  const end = { ...(shown.at(-1) ?? here), budgetBytes: maxBytes };
  return { here, points: [...shown, end], maxBytes, maxSpeed };
}

function budgetCurve(plan: Plan): readonly string[] {
  const { left, top, width, height } = curvePanel;
  const { here, points, maxBytes, maxSpeed } = shownCurve(plan);
  const speedTicks = axisTicks(0, maxSpeed, 4);
  const topSpeed = speedTicks.at(-1) ?? maxSpeed;
  const x = (bytes: number): number => left + (bytes / maxBytes) * width;
  const y = (speed: number): number => top + height - (speed / topSpeed) * height;
  const path = points.map(
    (point) => `${round(x(point.budgetBytes))},${round(y(point.predictedTokensPerSecond))}`,
  );
  const unit = maxBytes < GiB ? { name: "MiB", bytes: MiB } : { name: "GiB", bytes: GiB };
  const ticks = axisTicks(0, maxBytes / unit.bytes, 8)
    .filter((value) => value * unit.bytes <= maxBytes)
    .map((value) =>
      text(x(value * unit.bytes), top + height + 18, String(value), 'text-anchor="middle"'),
    );
  const [hereX, hereY] = [round(x(here.budgetBytes)), round(y(here.predictedTokensPerSecond))];
  const toTheRight = here.budgetBytes < maxBytes * 0.7;
  const anchor = `text-anchor="${toTheRight ? "start" : "end"}"`;
  return [
    ...verticalAxis(curvePanel, speedTicks, "predicted tokens/s"),
    `<polyline points="${path.join(" ")}" fill="none" stroke="${colours.hot}" stroke-width="2"/>`,
    ...ticks,
    `<circle cx="${hereX}" cy="${hereY}" r="5" fill="${colours.ink}"/>`,
    text(
      hereX + (toTheRight ? 10 : -10),
      hereY + (hereY > top + height - 30 ? -12 : 18),
      `this plan: ${significant(here.predictedTokensPerSecond, 4)}`,
      anchor,
    ),
    text(
      left + width / 2,
      top + height + 40,
      `GPU memory budget (${unit.name})`,
      'text-anchor="middle"',
    ),
  ];
}

/** A grid line with its value for each tick, and the name of the axis. */
function verticalAxis(panel: Panel, ticks: readonly number[], label: string): readonly string[] {
  const { left, top, width, height } = panel;
  const most = ticks.at(-1) ?? 1;
  const lines = ticks.map((value) => {
    const y = round(top + height - (value / most) * height);
    return `<line x1="${left}" x2="${left + width}" y1="${y}" y2="${y}" stroke="${colours.grid}"/>${text(left - 8, y + 4, String(value), 'text-anchor="end"')}`;
  });
  const middle = top + height / 2;
  return [
    ...lines,
    text(22, middle, label, `text-anchor="middle" transform="rotate(-90 22 ${middle})"`),
  ];
}

function bar(shape: {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly colour: string;
}): string {
  const { x, y, width, height, colour } = shape;
  return `<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" fill="${colour}"/>`;
}
