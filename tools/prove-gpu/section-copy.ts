/** What the card itself copies in its own memory: the bandwidth that kernels are held against. */
import { listAdapters, takeAdapter } from "../../src/backends/webgpu/adapter.ts";
import { openDevice } from "../../src/backends/webgpu/device.ts";
import { DeviceError } from "../../src/core/errors.ts";
import { median } from "../../src/core/numbers.ts";
import { MiB } from "../../src/core/units.ts";
import type { Context, Report, Section } from "./section.ts";
import { copyName } from "./summary.ts";
import { patienceOf } from "./timing.ts";

export const copySection: Section = {
  name: "copy",
  title: "The card's own copy",
  deadline: { full: 20, short: 60 },
  run,
};

async function run({ mode, gpu }: Context, report: Report): Promise<void> {
  const adapter = (await listAdapters())[gpu];
  const taken = adapter && (await takeAdapter(adapter));
  if (adapter === undefined || taken === undefined)
    throw new DeviceError(`adapter ${gpu} is gone; try again`);
  using open = await openDevice(taken, { name: adapter.name, features: "all" });
  const { device } = open;
  const most = mode === "short" ? MiB : 512 * MiB;
  const size = Math.min(most, device.limits.maxBufferSize);
  const { COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
  const usage = COPY_SRC | COPY_DST;
  const from = device.createBuffer({ size, usage });
  const to = device.createBuffer({ size, usage });
  const found = device.createBuffer({ size: 16, usage: MAP_READ | COPY_DST });
  const mark = Uint32Array.of(1, 2, 3, 4);
  device.queue.writeBuffer(from, size - 16, mark);
  const copies = async (times: number): Promise<number> => {
    const began = performance.now();
    const encoder = device.createCommandEncoder();
    for (let i = 0; i < times; i++) encoder.copyBufferToBuffer(from, 0, to, 0, size);
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    return (performance.now() - began) / 1000;
  };
  await copies(1);
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(to, size - 16, found, 0, 16);
  device.queue.submit([encoder.finish()]);
  await found.mapAsync(GPUMapMode.READ);
  const words = new Uint32Array(found.getMappedRange());
  report.check(
    "a copy arrives",
    mark.every((word, i) => words[i] === word),
    [...words].join(" "),
  );
  const { seconds, rounds } = patienceOf[mode];
  let times = 1;
  while ((await copies(times)) < seconds && times < 1024) times *= 2;
  // The difference of two lengths: submitting costs the same in both.
  const rates: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const once = await copies(times);
    const twice = await copies(2 * times);
    rates.push((2 * times * size) / Math.max(twice - once, 1e-9) / 1e9);
  }
  report.measure({ name: copyName, unit: "GB/s", value: median(rates) });
}
