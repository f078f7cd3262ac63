/**
 * Counts what hybrid steps did: crossings, whose neurons were active, how long each device computed.
 * Knowing when the GPU has finished costs some microseconds a segment, so only a part of the steps is timed,
 * unless a timeline is kept.
 */
import type { Executable, FfnCounts } from "../../backends/backend.ts";
import type { HybridStats, PromptPath, TimelineEvent } from "../../backends/executable-report.ts";
import type { Bytes, Milliseconds } from "../../core/units.ts";
import { purposeOf, type RowPurpose, rowPurposes, type Step, tokensOf } from "../../ops/program.ts";
import { cpuDevice, type DeviceId } from "../../placement/plan.ts";
import { measureStep, type StepTimes } from "./timeline.ts";

/** Every eighth step of each purpose is timed: 12 % of the steps cost 10 µs a segment more. */
const timedEvery = 8;

interface Tally {
  steps: number;
  tokens: number;
  crossings: number;
  timedTokens: number;
  gpu: Milliseconds;
  cpu: Milliseconds;
  waiting: Milliseconds;
}

interface RunningStep {
  readonly tally: Tally;
  readonly tokens: number;
  readonly start: Milliseconds;
  readonly isTimed: boolean;
  readonly events: TimelineEvent[];
}

export class HybridRecorder {
  readonly timeline: TimelineEvent[] = [];
  readonly #keepsTimeline: boolean;
  readonly #tallies: Readonly<Record<RowPurpose, Tally>> = {
    answer: newTally(),
    proposal: newTally(),
    prompt: newTally(),
  };
  readonly #active = { gpu: 0, cpu: 0 };
  #promptPath: PromptPath | undefined;
  #shown: TimelineEvent[] | undefined;
  #steps = 0;
  #isTimed = false;
  #running: RunningStep | undefined;
  #lastGpuEnd = 0;

  constructor(options: { readonly keepsTimeline: boolean }) {
    this.#keepsTimeline = options.keepsTimeline;
  }

  /** Whether the step that runs now is timed. */
  get isTiming(): boolean {
    return this.#running?.isTimed ?? false;
  }

  /** Segments behind the first belong to the same step: they add time, not tokens. */
  begin(segment: number, step: Step, path: PromptPath): void {
    const purpose = purposeOf(step);
    const tally = this.#tallies[purpose];
    if (purpose === "prompt") this.#promptPath = path;
    if (segment === 0) {
      this.#shown = step.shownRow >= 0 ? [] : undefined;
      this.#isTimed =
        this.#shown !== undefined || this.#keepsTimeline || tally.steps % timedEvery === 0;
      tally.steps++;
      this.#steps++;
    }
    const start = performance.now();
    const tokens = segment === 0 ? tokensOf(step) : 0;
    this.#running = { tally, tokens, start, isTimed: this.#isTimed, events: [] };
    this.#lastGpuEnd = start;
  }

  /**
   * Resolves when it is known how long the segment took; at once in a step that is not timed. `begun` is before the call
   * that started it: a device's thread may push the caller's off its core before that call returns.
   */
  async ran(
    { device, label }: { readonly device: DeviceId; readonly label: string },
    run: {
      readonly begun: Milliseconds;
      readonly device: Executable;
    },
  ): Promise<void> {
    const step = this.#running;
    if (step === undefined || !step.isTimed) return;
    const { begun } = run;
    await run.device.finished();
    const end = performance.now();
    // Segments queue up on the GPU: one begins when the one before it has ended.
    const track = trackOf(device);
    const start = track === "gpu" ? Math.max(begun, this.#lastGpuEnd) : begun;
    if (track === "gpu") this.#lastGpuEnd = end;
    step.events.push({ track, name: label, step: this.#steps, start, end });
  }

  crossed(
    { from, to }: { readonly from: DeviceId; readonly to: DeviceId },
    copy: () => void,
  ): void {
    const step = this.#running;
    if (step === undefined || !step.isTimed) {
      copy();
    } else {
      const start = performance.now();
      copy();
      const name = `${trackOf(from)} → ${trackOf(to)}`;
      const end = performance.now();
      step.events.push({ track: "link", name, step: this.#steps, start, end });
    }
    if (step !== undefined && from !== cpuDevice) step.tally.crossings++;
  }

  end(): void {
    const step = this.#running;
    if (step === undefined) return;
    const { tally, tokens, events, start } = step;
    tally.tokens += tokens;
    if (step.isTimed) {
      const times = measureStep(events, { start, end: performance.now() });
      addTimes(tally, times, tokens);
      if (this.#keepsTimeline) this.timeline.push(...events);
      this.#shown?.push(...events);
    }
    this.#running = undefined;
  }

  /** The intervals of the last step, if it showed a row. */
  takeShown(): readonly TimelineEvent[] {
    const shown = this.#shown ?? [];
    this.#shown = undefined;
    return shown;
  }

  countActive(gpu: readonly FfnCounts[], cpu: readonly FfnCounts[]): void {
    for (const { active } of gpu) this.#active.gpu += active;
    for (const { active } of cpu) this.#active.cpu += active;
  }

  stats(gpuBytes: Bytes): Omit<HybridStats, "exchangedGroups"> {
    const purpose = rowPurposes.find((one) => this.#tallies[one].tokens > 0) ?? "prompt";
    const tally = this.#tallies[purpose];
    const { gpu, cpu } = this.#active;
    return {
      gpuActivationShare: gpu === 0 ? 0 : gpu / (gpu + cpu),
      gpuBytes,
      synchronisationsPerToken: ratio(tally.crossings, tally.tokens),
      gpuMillisecondsPerToken: ratio(tally.gpu, tally.timedTokens),
      cpuMillisecondsPerToken: ratio(tally.cpu, tally.timedTokens),
      waitingMillisecondsPerToken: ratio(tally.waiting, tally.timedTokens),
      ...(this.#promptPath && { promptPath: this.#promptPath }),
    };
  }
}

/** Cards share a track. */
function trackOf(device: DeviceId): "gpu" | "cpu" {
  return device === cpuDevice ? "cpu" : "gpu";
}

function newTally(): Tally {
  return { steps: 0, tokens: 0, crossings: 0, timedTokens: 0, gpu: 0, cpu: 0, waiting: 0 };
}

function addTimes(tally: Tally, times: StepTimes, tokens: number): void {
  tally.timedTokens += tokens;
  tally.gpu += times.gpu;
  tally.cpu += times.cpu;
  tally.waiting += times.waiting;
}

function ratio(sum: number, count: number): number {
  return count === 0 ? 0 : sum / count;
}
