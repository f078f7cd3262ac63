/** Counts what the GPU was asked to do: while loading, and in steps of each purpose. */
import type { Executable, OutputUse } from "../../backends/backend.ts";
import type {
  ExecutableReport,
  GpuCounts,
  GpuUse,
  StepUse,
} from "../../backends/executable-report.ts";
import { ForwardingExecutable } from "../../backends/forwarding-executable.ts";
import type { GpuExecutable } from "../../backends/webgpu/executable.ts";
import { noGpuCounts } from "../../backends/webgpu/gpu-counts.ts";
import type { Tokens } from "../../core/units.ts";
import { purposeOf, type RowPurpose, type Step, tokensOf } from "../../ops/program.ts";

const noUse: StepUse = { tokens: 0, ...noGpuCounts };

/** The executable, with the counts in its report. */
export function countGpu(gpu: GpuExecutable): Executable {
  return new CountedGpu(gpu);
}

class CountedGpu extends ForwardingExecutable<GpuExecutable> {
  readonly #load: GpuCounts;
  readonly #steps: Record<RowPurpose, StepUse> = { answer: noUse, proposal: noUse, prompt: noUse };
  #purpose: RowPurpose = "prompt";
  #pendingTokens: Tokens = 0;

  constructor(gpu: GpuExecutable) {
    super(gpu);
    this.#load = gpu.gpuCounts();
  }

  override run(segment: number, step: Step, outputs?: OutputUse): Promise<void> {
    // A token is counted once, whichever segments it passes.
    if (segment === 0) {
      this.#settle();
      this.#purpose = purposeOf(step);
      this.#pendingTokens = tokensOf(step);
    }
    return this.inner.run(segment, step, outputs);
  }

  override async report(): Promise<ExecutableReport> {
    const gpu = this.#use();
    return { ...(await this.inner.report()), gpu };
  }

  #use(): GpuUse {
    this.#settle();
    const { copiedWeights, kvCache, scratch } = this.inner.memory;
    const bytes = copiedWeights + kvCache + scratch;
    return { bytes, load: this.#load, steps: { ...this.#steps } };
  }

  /** Counts are taken when the next step begins: reading back goes on after run has returned. */
  #settle(): void {
    const counts = this.inner.gpuCounts();
    const tokens = this.#pendingTokens;
    this.#pendingTokens = 0;
    this.#steps[this.#purpose] = addCounts(this.#steps[this.#purpose], counts, tokens);
  }
}

function addCounts(sum: StepUse, counts: GpuCounts, tokens: Tokens): StepUse {
  return {
    tokens: sum.tokens + tokens,
    runs: sum.runs + counts.runs,
    submits: sum.submits + counts.submits,
    dispatches: sum.dispatches + counts.dispatches,
    bindGroups: sum.bindGroups + counts.bindGroups,
    buffers: sum.buffers + counts.buffers,
    bytesUploaded: sum.bytesUploaded + counts.bytesUploaded,
    bytesStreamed: sum.bytesStreamed + counts.bytesStreamed,
    bytesReadBack: sum.bytesReadBack + counts.bytesReadBack,
    pipelines: sum.pipelines + counts.pipelines,
    pipelineMilliseconds: sum.pipelineMilliseconds + counts.pipelineMilliseconds,
  };
}
