/** What devices did, as JSON fields and as lines for people. */
import { counted } from "../core/counted.ts";
import { type EngineReport, formatBytes } from "../index.ts";

/** Fields `gpu` and `hybrid`; absent for devices that were not used. */
export function deviceJson({ gpu, hybrid }: EngineReport): object {
  return {
    ...(gpu && {
      gpu: {
        bytes: gpu.bytes,
        bytes_uploaded_at_load: gpu.bytesUploadedAtLoad,
        bytes_streamed: gpu.bytesStreamed,
        pipelines: gpu.pipelines,
        pipeline_ms: gpu.pipelineMilliseconds,
        per_token: {
          runs: gpu.perToken.runs,
          submits: gpu.perToken.submits,
          dispatches: gpu.perToken.dispatches,
          bind_groups_created: gpu.perToken.bindGroups,
          buffers_created: gpu.perToken.buffers,
          bytes_uploaded: gpu.perToken.bytesUploaded,
          bytes_read_back: gpu.perToken.bytesReadBack,
        },
      },
    }),
    ...(hybrid && {
      hybrid: {
        gpu_activation_share: hybrid.gpuActivationShare,
        expected_gpu_activation_share: hybrid.expectedGpuActivationShare,
        gpu_bytes: hybrid.gpuBytes,
        synchronisations_per_token: hybrid.synchronisationsPerToken,
        gpu_ms_per_token: hybrid.gpuMillisecondsPerToken,
        cpu_ms_per_token: hybrid.cpuMillisecondsPerToken,
        waiting_ms_per_token: hybrid.waitingMillisecondsPerToken,
        ...(hybrid.promptPath !== undefined && { prompt_path: hybrid.promptPath }),
        exchanged_groups: hybrid.exchangedGroups,
        predicted_tokens_per_second: hybrid.predictedTokensPerSecond,
        ...(hybrid.notice !== undefined && { notice: hybrid.notice }),
      },
    }),
  };
}

const promptPaths = {
  split: "on both devices",
  cpu: "split layers on the CPU alone",
  stream: "streamed to the GPU",
} as const;

/** One line for each device report; empty for a model on the CPU. */
export function deviceText({ gpu, hybrid }: EngineReport): string {
  const lines: string[] = [];
  if (gpu) {
    const { dispatches, bytesReadBack } = gpu.perToken;
    const perToken = `${dispatches.toFixed(0)} dispatches and ${bytesReadBack.toFixed(0)} bytes read back a token`;
    const compiled = `${counted(gpu.pipelines, "kernel")} compiled in ${gpu.pipelineMilliseconds.toFixed(0)} ms`;
    const streamed =
      gpu.bytesStreamed === 0 ? "" : `; ${formatBytes(gpu.bytesStreamed)} streamed for prompts`;
    lines.push(`[gpu: ${formatBytes(gpu.bytes)}; ${perToken}; ${compiled}${streamed}]`);
  }
  if (hybrid) {
    const share = `${(100 * hybrid.gpuActivationShare).toFixed(1)} % of activations on the GPU (expected: ${(100 * hybrid.expectedGpuActivationShare).toFixed(1)} %)`;
    const times = [
      `gpu ${hybrid.gpuMillisecondsPerToken.toFixed(2)} ms`,
      `cpu ${hybrid.cpuMillisecondsPerToken.toFixed(2)} ms`,
      `waiting ${hybrid.waitingMillisecondsPerToken.toFixed(2)} ms`,
    ].join(", ");
    const syncs = `${hybrid.synchronisationsPerToken.toFixed(1)} synchronisations`;
    const moved =
      hybrid.exchangedGroups === 0 ? "" : `; ${hybrid.exchangedGroups} groups exchanged`;
    const path =
      hybrid.promptPath === undefined ? "" : `; prompt: ${promptPaths[hybrid.promptPath]}`;
    lines.push(`[hybrid: ${share}; a token: ${times}, ${syncs}${path}${moved}]`);
  }
  return lines.join("\n");
}
