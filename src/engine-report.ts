/** What the devices did for the answers so far, as `run --json` shows it: events on the GPU, the work of two devices. */
import type { Bytes } from "./core/units.ts";
import type { OpenedModel } from "./engine-open.ts";
import { reportOf, timelineOf } from "./runtime/device.ts";
import type { StepUse } from "./runtime/gpu-use.ts";
import type { HybridStats } from "./runtime/hybrid-stats.ts";
import { chromeTrace } from "./runtime/trace.ts";

export interface GpuReport {
  /** Held on the card, as it was allocated. */
  readonly bytes: Bytes;
  readonly bytesUploadedAtLoad: Bytes;
  /** Of decode steps; of prompts when nothing was decoded yet. */
  readonly perToken: Readonly<Record<Exclude<keyof StepUse, "tokens">, number>>;
}

export interface HybridReport extends HybridStats {
  readonly predictedTokensPerSecond: number;
}

export interface EngineReport {
  readonly gpu?: GpuReport;
  readonly hybrid?: HybridReport;
}

/** Empty for a model that runs on the CPU. */
export async function engineReport(
  opened: Pick<OpenedModel, "session" | "plan">,
): Promise<EngineReport> {
  const report = await reportOf(opened.session.executable);
  const { gpu, hybrid } = report ?? {};
  const predictedTokensPerSecond = opened.plan?.predictedTokensPerSecond ?? 0;
  return {
    ...(gpu && {
      gpu: {
        bytes: gpu.bytes,
        bytesUploadedAtLoad: gpu.load.bytesUploaded,
        perToken: perToken(gpu.decode.tokens > 0 ? gpu.decode : gpu.prompt),
      },
    }),
    ...(hybrid && { hybrid: { ...hybrid, predictedTokensPerSecond } }),
  };
}

/** The timeline of all steps so far in Chrome's trace format; without events unless the engine keeps one. */
export async function engineTrace(opened: Pick<OpenedModel, "session">): Promise<string> {
  return chromeTrace((await timelineOf(opened.session.executable)) ?? []);
}

function perToken({ tokens, ...sums }: StepUse): GpuReport["perToken"] {
  const share = (sum: number): number => (tokens === 0 ? 0 : sum / tokens);
  return {
    runs: share(sums.runs),
    submits: share(sums.submits),
    dispatches: share(sums.dispatches),
    bindGroups: share(sums.bindGroups),
    buffers: share(sums.buffers),
    bytesUploaded: share(sums.bytesUploaded),
    bytesReadBack: share(sums.bytesReadBack),
  };
}
