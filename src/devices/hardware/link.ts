/** The way between processor and card: latency and bandwidth of copies, and the round trip of one split layer. */
import type { Backend } from "../../backends/backend.ts";
import type { Slot } from "../../ops/op.ts";
import { createStep, type Program } from "../../ops/program.ts";
import type { LinkProfile } from "../../placement/hardware.ts";
import { createProbe, medianSeconds } from "./probe.ts";

/** A hidden row of a 7B model. */
const hiddenWidth = 4096;
/** 16 MiB: a copy that takes milliseconds on any link. */
const largeWidth = 4 << 20;
/** Round trips vary by a factor of two: more runs than for bandwidths, which do not. */
const roundTrips = 21;

export async function measureLink(gpu: Backend): Promise<LinkProfile> {
  using nothing = await createProbe(gpu, { kind: "nothing" });
  using smallUpload = await createProbe(gpu, { kind: "upload", width: hiddenWidth });
  using largeUpload = await createProbe(gpu, { kind: "upload", width: largeWidth });
  using largeDownload = await createProbe(gpu, { kind: "download", width: largeWidth });
  const empty = await medianSeconds(nothing.run, roundTrips);
  const small = await medianSeconds(smallUpload.run, roundTrips);
  const bytes = 4 * largeWidth;
  const speed = (seconds: number): number => Math.round(bytes / Math.max(seconds - empty, 1e-6));
  return {
    uploadLatencySeconds: Math.max(0, small - empty),
    uploadBytesPerSecond: speed(await medianSeconds(largeUpload.run)),
    downloadLatencySeconds: empty,
    downloadBytesPerSecond: speed(await medianSeconds(largeDownload.run)),
  };
}

/** A hidden row to the processor, a segment there, a row back and added on the card. */
export async function measureSplitLayer(devices: {
  readonly gpu: Backend;
  readonly cpu: Backend;
}): Promise<number> {
  const x: Slot = { id: 0, name: "x", width: hiddenWidth, rows: "step" };
  const y: Slot = { id: 1, name: "y", width: hiddenWidth, rows: "step" };
  const program = (outputs: readonly Slot[]): Program => ({
    slots: [x, y],
    kv: { layers: [], contextLength: 1, sequences: 1, type: "f32" },
    segments: [{ name: "layer", ops: [{ kind: "add", x: y, out: x }], outputs }],
    maxRows: 1,
    maxOutputs: 1,
  });
  using gpu = await devices.gpu.compile(program([x]));
  using cpu = await devices.cpu.compile(program([x]));
  const step = createStep(1, 1);
  step.rowCount = 1;
  return await medianSeconds(async () => {
    await gpu.run(0, step);
    cpu.write(y, gpu.output(x));
    await cpu.run(0, step);
    gpu.write(y, cpu.output(x));
  }, roundTrips);
}
