/**
 * How the split layers of a prompt are computed. A prompt multiplies matrices, so what counts is arithmetic, and the
 * share that balances both devices for one token, by bandwidth, may leave the slower multiplier with too much:
 *   split:  each device its own neurons or experts; a step lasts as long as the slower of them
 *   cpu:    the CPU all neurons, reading the hot rows from the file too; for cards that multiply slower than the CPU
 *   stream: the card all of them, to which the cold ones come over the link; for cards that multiply far faster
 * docs/decisions/0011-prompt-path.md, 0035-streamed-prompts.md.
 */
import type { Bytes } from "../core/units.ts";
import { type HardwareProfile, readSpeed } from "./hardware.ts";
import { cpuDevice, type PlanLayer } from "./plan.ts";

export interface PromptQuestion {
  readonly hardware: HardwareProfile;
  readonly layers: readonly PlanLayer[];
  /** Of gate, up and down together, of a neuron or an expert. */
  readonly weightsPerUnit: number;
  readonly bytesPerUnit: Bytes;
  /** Share of rows that want a unit: of an expert used / experts, of a neuron 1. */
  readonly usedShare: number;
  /** Of a sparse method, the share of a block's neurons that are active for a row: the processor computes those alone. Default 1. */
  readonly activeShare?: number;
  /** Weight type of the block. */
  readonly type: string;
  /** Rows of a step at most. */
  readonly maxRows: number;
}

/** Prompts of a step with so many rows take the path. */
export interface PromptRule {
  readonly path: "cpu" | "stream";
  readonly fromRows: number;
}

/**
 * The path that is fastest for the longest step, with the rows from which it always is; undefined where that is `split`,
 * or was not measured. A card on which nothing is hot may be streamed to as well.
 */
export function promptRule(question: PromptQuestion): PromptRule | undefined {
  const { hardware, maxRows } = question;
  if (hardware.cpu.promptFlopsPerSecond === undefined) return undefined;
  if (hardware.gpu?.promptFlopsPerSecond === undefined) return undefined;
  const secondsOf = (path: PromptRule["path"] | "split", rows: number): number =>
    sum(question, (layer) => layerSeconds[path](layer, rows, question));
  const [best] = (["split", "cpu", "stream"] as const).toSorted(
    (a, b) => secondsOf(a, maxRows) - secondsOf(b, maxRows),
  );
  if (best === undefined || best === "split" || maxRows < 2) return undefined;
  let fromRows = maxRows;
  for (let rows = maxRows; rows >= 2; rows = Math.floor(rows / 2)) {
    if (secondsOf(best, rows) >= secondsOf("split", rows)) break;
    fromRows = rows;
  }
  return { path: best, fromRows };
}

/** Units of a layer with attention on the card. */
interface Units {
  readonly unit: PlanLayer["unit"];
  readonly hot: number;
  readonly cold: number;
}

function sum({ layers }: PromptQuestion, secondsOf: (layer: Units) => number): number {
  return layers.reduce((all, layer) => all + secondsOf(unitsOf(layer)), 0);
}

function unitsOf({ unit, parts, attentionDevice }: PlanLayer): Units {
  // A layer that lives on the CPU asks the card for its hot neurons: it has no way around them.
  if (attentionDevice === cpuDevice) return { unit, hot: 0, cold: 0 };
  const count = (isCold: boolean): number =>
    parts.reduce(
      (all, { device, units }) => all + ((device === cpuDevice) === isCold ? units.length : 0),
      0,
    );
  return { unit, hot: count(false), cold: count(true) };
}

/**
 * What a row's own active neurons take the processor in a prompt, as a multiple of their share of the dense time: 3.4 to 4.2
 * times the dense speed where a tenth is active (docs/decisions/0034-sparse-prompts.md).
 */
const sparseCost = 2.6;

type Seconds = (layer: Units, rows: number, question: PromptQuestion) => number;

const splitSeconds: Seconds = ({ hot, cold }, rows, question) =>
  cold === 0 ? 0 : Math.max(onGpu(hot, rows, question), onCpu(cold, rows, question));

const layerSeconds: Readonly<Record<PromptRule["path"] | "split", Seconds>> = {
  split: splitSeconds,
  // Experts are computed where they are, and so are blocks of which nothing is hot.
  cpu: (layer, rows, question) =>
    layer.unit === "expert" || layer.hot === 0 || layer.cold === 0
      ? splitSeconds(layer, rows, question)
      : onCpu(layer.hot + layer.cold, rows, question),
  stream: ({ hot, cold }, rows, question) =>
    cold === 0
      ? 0
      : Math.max(
          linkSeconds(cold, question),
          onGpu(hot, rows, question) + onGpu(cold, rows, question),
        ),
};

function onCpu(units: number, rows: number, question: PromptQuestion): number {
  const { activeShare = 1 } = question;
  const computed = Math.min(1, sparseCost * activeShare);
  return secondsOn(question.hardware.cpu, { units, rows, computed }, question);
}

function onGpu(units: number, rows: number, question: PromptQuestion): number {
  const { gpu } = question.hardware;
  return gpu === null ? 0 : secondsOn(gpu, { units, rows }, question);
}

/** All of them cross, once. */
function linkSeconds(cold: number, { hardware, bytesPerUnit }: PromptQuestion): number {
  return (cold * bytesPerUnit) / hardware.link.uploadBytesPerSecond;
}

/** Weights that some row wants are read once and multiplied for each such row: whichever takes longer. */
function secondsOn(
  device: HardwareProfile["cpu"] | NonNullable<HardwareProfile["gpu"]>,
  {
    units,
    rows,
    computed = 1,
  }: { readonly units: number; readonly rows: number; readonly computed?: number },
  { weightsPerUnit, bytesPerUnit, usedShare, type }: PromptQuestion,
): number {
  const read = units * (1 - (1 - usedShare) ** rows);
  const reading = (read * bytesPerUnit) / readSpeed(device, type);
  const flops = 2 * rows * usedShare * computed * units * weightsPerUnit;
  return Math.max(reading, flops / (device.promptFlopsPerSecond ?? Number.POSITIVE_INFINITY));
}
