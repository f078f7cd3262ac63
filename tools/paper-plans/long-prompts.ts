/**
 * Seconds of Table 4 (1.5K tokens in, 256 out) as planned, with prompts that stream. What a card and a processor multiply is
 * assumed here: descriptions from data sheets say what they read.
 */
import type { Tokens } from "../../src/core/units.ts";
import type { HardwareProfile } from "../../src/placement/hardware.ts";
import { cpuDevice, type Plan } from "../../src/placement/plan.ts";
import type { PaperModel } from "./models.ts";

export const prompt: Tokens = 1536;
export const answer: Tokens = 256;

/** Multiplications and additions per second. The card: 0.4 of 82.6 T in f32. The processor: half of 8 cores · 5.4 GHz · 32. */
const flopsPerSecond = { gpu: 33e12, cpu: 0.7e12 } as const;

/** As placement/prompt-path.ts, where a tenth of the neurons takes a quarter of the time. */
const sparseCost = 2.6;

interface LongPrompt {
  readonly promptSeconds: number;
  readonly answerSeconds: number;
  readonly streamedBytes: number;
}

/** All cold neurons cross once; layers with attention on the processor are computed there. */
export function longPrompt(
  { dim, ffn, heads, kvHeads, architecture }: PaperModel,
  plan: Plan,
  { hardware, activity }: { readonly hardware: HardwareProfile; readonly activity: number },
): LongPrompt {
  const matrices = architecture === "llama" || architecture === "bamboo" ? 3 : 2;
  const attention = dim * dim * (2 + (2 * kvHeads) / heads);
  const neuron = matrices * dim;
  const seconds = (weights: number, device: keyof typeof flopsPerSecond): number =>
    (2 * prompt * weights) / flopsPerSecond[device];
  let promptSeconds = 0;
  let streamedBytes = 0;
  for (const { attentionDevice, parts } of plan.layers) {
    if (attentionDevice === cpuDevice) {
      const computed = Math.min(1, sparseCost * activity) * ffn * neuron;
      promptSeconds += seconds(attention + computed, "cpu");
      continue;
    }
    const cold = parts.reduce(
      (sum, { device, units }) => sum + (device === cpuDevice ? units.length : 0),
      0,
    );
    const bytes = 2 * cold * neuron;
    streamedBytes += bytes;
    const crossing = bytes / hardware.link.uploadBytesPerSecond;
    promptSeconds += Math.max(crossing, seconds(attention + ffn * neuron, "gpu"));
  }
  return { promptSeconds, answerSeconds: answer / plan.predictedTokensPerSecond, streamedBytes };
}
