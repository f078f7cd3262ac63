/**
 * How the split layers of a prompt are computed. A prompt multiplies matrices, so what counts is arithmetic, and the
 * share that balances both devices for one token, by bandwidth, may leave the slower multiplier with too much:
 *   split: each device its own neurons; a step lasts as long as the slower of them
 *   cpu:   the CPU all of them, reading the hot rows from the file too; for cards that multiply slower than the CPU
 * The other way round, streaming cold rows to a fast card, needs room on the card that the budget has given to hot
 * neurons: docs/decisions/0011-prompt-path.md has the numbers.
 */
import type { Bytes, Neurons } from "../core/units.ts";
import { type HardwareProfile, readSpeed } from "./hardware.ts";
import { cpuDevice, type PlanLayer } from "./plan.ts";

export interface PromptQuestion {
  readonly hardware: HardwareProfile;
  readonly layers: readonly PlanLayer[];
  /** Of gate, up and down together. */
  readonly weightsPerNeuron: number;
  readonly bytesPerNeuron: Bytes;
  /** Weight type of the block. */
  readonly type: string;
  /** Rows of a step at most. */
  readonly maxRows: number;
}

/** From so many rows of a step on the CPU alone is faster; undefined if it never is, or was not measured. */
export function promptOnCpuFrom(question: PromptQuestion): number | undefined {
  const { hardware, layers, maxRows } = question;
  const { cpu, gpu } = hardware;
  if (cpu.promptFlopsPerSecond === undefined || gpu?.promptFlopsPerSecond === undefined) {
    return undefined;
  }
  const split = layers.map(neuronsOf).filter(({ hot, cold }) => hot > 0 && cold > 0);
  const isFaster = (rows: number): boolean => {
    const both = split.reduce((sum, layer) => sum + splitSeconds(layer, rows, question), 0);
    const alone = split.reduce(
      (sum, { hot, cold }) => sum + secondsOn(cpu, hot + cold, rows, question),
      0,
    );
    return alone < both;
  };
  for (let rows = 2; rows <= maxRows; rows *= 2) {
    if (isFaster(rows) && isFaster(maxRows)) return rows;
  }
  return undefined;
}

function neuronsOf({ unit, parts, attentionDevice }: PlanLayer): { hot: Neurons; cold: Neurons } {
  // A layer that lives on the CPU asks the card for its hot neurons: it has no way around them. Experts are not of one size with neurons.
  if (attentionDevice === cpuDevice || unit === "expert") return { hot: 0, cold: 0 };
  const count = (isCold: boolean): Neurons =>
    parts.reduce(
      (sum, { device, units }) => sum + ((device === cpuDevice) === isCold ? units.length : 0),
      0,
    );
  return { hot: count(false), cold: count(true) };
}

function splitSeconds(
  { hot, cold }: { readonly hot: Neurons; readonly cold: Neurons },
  rows: number,
  question: PromptQuestion,
): number {
  const { cpu, gpu } = question.hardware;
  const onGpu = gpu === null ? 0 : secondsOn(gpu, hot, rows, question);
  return Math.max(onGpu, secondsOn(cpu, cold, rows, question));
}

/** Each weight is read once and multiplied for each row: whichever takes longer. */
function secondsOn(
  device: HardwareProfile["cpu"] | NonNullable<HardwareProfile["gpu"]>,
  neurons: Neurons,
  rows: number,
  { weightsPerNeuron, bytesPerNeuron, type }: PromptQuestion,
): number {
  const reading = (neurons * bytesPerNeuron) / readSpeed(device, type);
  const flops = 2 * rows * neurons * weightsPerNeuron;
  return Math.max(reading, flops / (device.promptFlopsPerSecond ?? Number.POSITIVE_INFINITY));
}
