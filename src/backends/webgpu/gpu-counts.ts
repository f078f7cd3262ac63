/** No requests yet: what counting starts from. The counts can be asserted and added up. */
import type { GpuCounts } from "../executable-report.ts";

export const noGpuCounts: GpuCounts = {
  runs: 0,
  submits: 0,
  dispatches: 0,
  bindGroups: 0,
  buffers: 0,
  bytesUploaded: 0,
  bytesStreamed: 0,
  bytesReadBack: 0,
  pipelines: 0,
  pipelineMilliseconds: 0,
};
