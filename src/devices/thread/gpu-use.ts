/** Counts what the GPU was asked to do: while loading, for prompts and for each kind of step. */
import type { Executable } from "../../backends/backend.ts";
import type { GpuExecutable } from "../../backends/webgpu/executable.ts";
import {
  type GpuCounts,
  type GpuUse,
  noGpuCounts,
  type StepUse,
} from "../../backends/webgpu/gpu-counts.ts";
import type { Tokens } from "../../core/units.ts";

/** The executable with a `run` that counts, and the counts so far. */
export function countGpu(gpu: GpuExecutable): {
  readonly executable: Executable;
  use(): GpuUse;
} {
  const load = gpu.gpuCounts();
  const { copiedWeights, kvCache, scratch } = gpu.memory;
  let prompt: StepUse = { ...noUse };
  let decode: StepUse = { ...noUse };
  let isDecode = false;
  // Counts are taken when the next step begins: reading back goes on after run has returned.
  const settle = (tokens: Tokens): void => {
    const counts = gpu.gpuCounts();
    if (isDecode) decode = addCounts(decode, counts, tokens);
    else prompt = addCounts(prompt, counts, tokens);
  };
  let pendingTokens = 0;
  const executable: Executable = {
    memory: gpu.memory,
    run: (segment, step) => {
      // A token is counted once, whichever segments it passes.
      if (segment === 0) {
        settle(pendingTokens);
        isDecode = step.rowCount === step.outputCount;
        pendingTokens = step.rowCount;
      }
      return gpu.run(segment, step);
    },
    output: (slot) => gpu.output(slot),
    write: (slot, data) => gpu.write(slot, data),
    copySequence: (from, to, length) => gpu.copySequence(from, to, length),
    ffnCounts: () => gpu.ffnCounts(),
    ...(gpu.replaceNeurons && {
      replaceNeurons: (change) => gpu.replaceNeurons?.(change) ?? Promise.resolve(),
    }),
    ...(gpu.finished && { finished: () => gpu.finished?.() ?? Promise.resolve() }),
    [Symbol.dispose]: () => gpu[Symbol.dispose](),
  };
  return {
    executable,
    use: () => {
      settle(pendingTokens);
      pendingTokens = 0;
      return { bytes: copiedWeights + kvCache + scratch, load, prompt, decode };
    },
  };
}

const noUse: StepUse = { tokens: 0, ...noGpuCounts };

function addCounts(sum: StepUse, counts: GpuCounts, tokens: Tokens): StepUse {
  return {
    tokens: sum.tokens + tokens,
    runs: sum.runs + counts.runs,
    submits: sum.submits + counts.submits,
    dispatches: sum.dispatches + counts.dispatches,
    bindGroups: sum.bindGroups + counts.bindGroups,
    buffers: sum.buffers + counts.buffers,
    bytesUploaded: sum.bytesUploaded + counts.bytesUploaded,
    bytesReadBack: sum.bytesReadBack + counts.bytesReadBack,
    pipelines: sum.pipelines + counts.pipelines,
    pipelineMilliseconds: sum.pipelineMilliseconds + counts.pipelineMilliseconds,
  };
}
