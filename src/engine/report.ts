/** What the devices did for the answers so far, as `run --json` shows it: events on the GPU, the work of two devices. */

import type { MemoryUse } from "../backends/backend.ts";
import type { GpuCounts, GpuUse, HybridStats, StepUse } from "../backends/executable-report.ts";
import { percent } from "../core/numbers.ts";
import type { Bytes, Milliseconds, Tokens } from "../core/units.ts";
import { minTokens, shareMargin } from "../devices/hybrid/adapt.ts";
import { chromeTrace } from "../devices/hybrid/chrome-trace.ts";
import { rowPurposes } from "../ops/program.ts";
import type { OpenedModel } from "./open.ts";

export interface GpuReport {
  /** Held on the card, as it was allocated. */
  readonly bytes: Bytes;
  readonly bytesUploadedAtLoad: Bytes;
  /** Weights that the card does not keep, brought for prompts so far. */
  readonly bytesStreamed: Bytes;
  /** Kernels compiled so far: at load, and when a step first needed them. */
  readonly pipelines: number;
  readonly pipelineMilliseconds: Milliseconds;
  /** Of steps that write answers; of prompts before there was one. */
  readonly perToken: Readonly<Record<Exclude<keyof StepUse, NotPerToken>, number>>;
}

type NotPerToken = "tokens" | "bytesStreamed" | "pipelines" | "pipelineMilliseconds";

export interface HybridReport extends HybridStats {
  readonly predictedTokensPerSecond: number;
  /** What the plan expects of `gpuActivationShare`. */
  readonly expectedGpuActivationShare: number;
  /** What to do when it falls short of that by more than `shareMargin`. */
  readonly notice?: string;
}

/** Of the system's memory: what lies on a card is not in it. */
export interface SystemMemory {
  /** Mapped from files: the system counts them as free, though answers are slow without them. */
  readonly mappedWeights: Bytes;
  /** Of all sequences, also where nothing was written yet. */
  readonly kvCache: Bytes;
  /** Copied weights, buffers, and at most what conversations at rest take (`cacheRam`). */
  readonly others: Bytes;
}

export interface EngineReport {
  readonly memory: SystemMemory;
  readonly gpu?: GpuReport;
  readonly hybrid?: HybridReport;
}

export async function engineReport(
  opened: Pick<OpenedModel, "session" | "plan">,
  cacheRam: Bytes,
): Promise<EngineReport> {
  const { executable } = opened.session;
  const { gpu, hybrid } = await executable.report();
  return {
    memory: systemMemory(executable.memory, { onCard: gpu?.bytes ?? 0, cacheRam }),
    ...(gpu && {
      gpu: {
        bytes: gpu.bytes,
        bytesUploadedAtLoad: gpu.load.bytesUploaded,
        bytesStreamed: uses(gpu).reduce((sum, { bytesStreamed }) => sum + bytesStreamed, 0),
        pipelines: uses(gpu).reduce((sum, { pipelines }) => sum + pipelines, 0),
        pipelineMilliseconds: uses(gpu).reduce((sum, use) => sum + use.pipelineMilliseconds, 0),
        perToken: perToken(
          gpu.steps[rowPurposes.find((one) => gpu.steps[one].tokens > 0) ?? "prompt"],
        ),
      },
    }),
    ...(hybrid && { hybrid: hybridReport(hybrid, opened) }),
  };
}

/** On two devices the card may have all of the cache: no more counts here than is not on the card. */
function systemMemory(
  { mappedWeights, copiedWeights, kvCache, scratch }: MemoryUse,
  { onCard, cacheRam }: { readonly onCard: Bytes; readonly cacheRam: Bytes },
): SystemMemory {
  const own = Math.max(0, copiedWeights + kvCache + scratch - onCard);
  const cache = Math.min(kvCache, own);
  return { mappedWeights, kvCache: cache, others: own - cache + cacheRam };
}

function hybridReport(
  hybrid: HybridStats,
  { session, plan }: Pick<OpenedModel, "session" | "plan">,
): HybridReport {
  const expected = plan?.gpuActivationShare ?? 0;
  const { tokens } = session.counters.use("all");
  const notice = shareNotice({ observed: hybrid.gpuActivationShare, expected, tokens });
  return {
    ...hybrid,
    predictedTokensPerSecond: plan?.predictedTokensPerSecond ?? 0,
    expectedGpuActivationShare: expected,
    ...(notice !== undefined && { notice }),
  };
}

/** Undefined while the plan's share is met, or too little was computed to say. */
export function shareNotice(share: {
  readonly observed: number;
  readonly expected: number;
  readonly tokens: Tokens;
}): string | undefined {
  const { observed, expected, tokens } = share;
  if (tokens < minTokens || observed >= expected - shareMargin) return undefined;
  return `the card computed ${percent(observed, 0)} of the active neurons where the plan expects ${percent(expected, 0)}: hearth run --learn, then hearth plan --refresh, corrects it`;
}

/** The timeline of all steps so far in Chrome's trace format; without events unless the engine keeps one. */
export async function engineTimeline(opened: Pick<OpenedModel, "session">): Promise<string> {
  const { timeline } = await opened.session.executable.report();
  return chromeTrace(timeline);
}

function uses({ load, steps }: GpuUse): readonly GpuCounts[] {
  return [load, ...Object.values(steps)];
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
