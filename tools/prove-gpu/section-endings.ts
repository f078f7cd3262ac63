/** What may end on a card: the card in the middle of an answer, its memory, the process right after closing. */
import { execFile } from "node:child_process";
import { listAdapters, takeAdapter } from "../../src/backends/webgpu/adapter.ts";
import { openDevice } from "../../src/backends/webgpu/device.ts";
import { DeviceError, LimitError, OptionError } from "../../src/core/errors.ts";
import { packagePath } from "../../src/core/package-root.ts";
import { formatBytes, GiB, MiB } from "../../src/core/units.ts";
import { Engine } from "../../src/engine/engine.ts";
import type { EngineOptions } from "../../src/engine/options.ts";
import { standIn, syntheticModels } from "./models.ts";
import type { Context, Report, Section } from "./section.ts";

export const endingsSection: Section = {
  name: "endings",
  title: "A lost card, full memory, a process that exits",
  deadline: { full: 90, short: 300 },
  run: async (context, report) => {
    process.env["XDG_CACHE_HOME"] = context.folder;
    await proveLosses(context, report);
    await proveExits(context, report);
    await proveMemory(context, report);
  },
};

interface Ended {
  readonly code: number | string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** As test/end-to-end/device-loss.test.ts: a crash or an unhandled rejection shows in how the process ends. */
function end(path: string, options: EngineOptions, ...how: readonly string[]): Promise<Ended> {
  const place = (name: string): string => packagePath(`tools/prove-gpu/${name}`);
  const index = packagePath("build/tools/src/index.js");
  const list = [
    "--import",
    place("lose-device.mjs"),
    place("end-device.mjs"),
    index,
    path,
    JSON.stringify(options),
    ...how,
  ];
  return new Promise((resolve) => {
    execFile(process.execPath, list, (error, stdout, stderr) => {
      const code = error === null ? 0 : (error.signal ?? error.code ?? null);
      resolve({ code, stdout, stderr });
    });
  });
}

async function proveLosses(context: Context, report: Report): Promise<void> {
  const [model] = await syntheticModels(context);
  const losses = context.mode === "short" ? 1 : 6;
  const common = { gpu: context.gpu, sparsity: "dense", batchSize: 4, contextLength: 128 } as const;
  const gpu = { ...common, device: "gpu", vramBudget: GiB } as const;
  const hybrid = {
    ...common,
    device: "hybrid",
    vramBudget: 500_000,
    hardware: "rtx-4090",
    objective: "paper",
  } as const;
  for (const options of context.mode === "short" ? [gpu] : [gpu, hybrid]) {
    const ended = await end(model?.path ?? "", options, "lose", String(losses));
    const isQuiet = ended.code === 0 && ended.stdout === `lost ${losses}\n` && ended.stderr === "";
    report.check(
      `the card is lost at each of ${losses} submissions, ${options.device}`,
      isQuiet,
      isQuiet ? "answers rejected, later ones right" : wordsOf(ended),
    );
  }
}

async function proveExits(context: Context, report: Report): Promise<void> {
  const [model] = await syntheticModels(context);
  const endings = context.mode === "short" ? 2 : 20;
  const options = {
    gpu: context.gpu,
    device: "gpu",
    sparsity: "dense",
    batchSize: 4,
    contextLength: 128,
    vramBudget: GiB,
  } as const;
  const bad: string[] = [];
  for (let i = 0; i < endings; i++) {
    const ended = await end(model?.path ?? "", options, "exit");
    if (ended.code !== 0 || ended.stderr !== "") bad.push(`time ${i}: ${wordsOf(ended)}`);
  }
  report.check(`closes and exits ${endings} times`, bad.length === 0, bad[0] ?? "quietly");
}

function wordsOf({ code, stdout, stderr }: Ended): string {
  return `ended by ${code}: ${stdout.trim()} ${stderr.trim()}`.slice(0, 500);
}

/** A budget that the card has, and does not have free: an error, and once there is room again, an answer. */
async function proveMemory(context: Context, report: Report): Promise<void> {
  if (context.isSoftware) {
    report.note(
      "not examined on a software adapter, whose memory is the machine's: a budget above what is free",
    );
    return;
  }
  const { path } = await standIn(context);
  const { gpu } = context;
  const adapter = (await listAdapters())[gpu];
  const taken = adapter && (await takeAdapter(adapter));
  if (adapter === undefined || taken === undefined)
    throw new DeviceError(`adapter ${gpu} is gone; try again`);
  const open = (vramBudget: number): Promise<Engine> =>
    Engine.open(path, { device: "gpu", gpu, sparsity: "dense", contextLength: 128, vramBudget });
  if (adapter.memory !== undefined) {
    const tooMuch = await open(adapter.memory + 1).then(closed, (error: unknown) => error);
    report.check(
      "a budget above the card's memory is refused",
      tooMuch instanceof OptionError,
      String(tooMuch),
    );
  }
  const most = adapter.memory ?? 256 * GiB;
  {
    using device = await openDevice(taken, { name: adapter.name, features: "all" });
    const buffers = await fill(device.device, most);
    const filled = bytesOf(buffers);
    report.note(`filled ${formatBytes(filled)} of ${formatBytes(most)}`);
    const full = await open(most).then(closed, (error: unknown) => error);
    // Some drivers go on in the machine's memory.
    const isEndless = filled >= endless * most;
    const isRefused = full instanceof LimitError || full instanceof DeviceError;
    report.check("a budget above what is free is an error", isRefused || isEndless, String(full));
    for (const buffer of buffers) buffer.destroy();
  }
  using engine = await open(most);
  const { tokens } = await engine.generate([5, 17], { maxTokens: 2, ignoreEos: true }).result;
  report.check("with room again it answers", tokens.length === 2, engine.device);
}

function closed(engine: Engine): string {
  engine.close();
  return "it was opened";
}

/** Of its memory; a driver that gives so much more gives any. */
const endless = 1.2;
/** Left free, so that another device can be opened at all. */
const smallest = 256 * MiB;

/** Buffers until the card gives no more, smaller and smaller ones: held by the caller, lest they are collected. */
async function fill(device: GPUDevice, most: number): Promise<readonly GPUBuffer[]> {
  const buffers: GPUBuffer[] = [];
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
  let size = Math.min(GiB, device.limits.maxBufferSize);
  const least = Math.min(smallest, size);
  while (size >= least && bytesOf(buffers) < endless * most) {
    device.pushErrorScope("out-of-memory");
    device.pushErrorScope("validation");
    const buffer = device.createBuffer({ size, usage });
    // Some drivers give memory only when it is written.
    device.queue.writeBuffer(buffer, 0, new Uint32Array(4));
    const [invalid, full] = await Promise.all([device.popErrorScope(), device.popErrorScope()]);
    if (invalid === null && full === null) buffers.push(buffer);
    else size /= 4;
  }
  return buffers;
}

function bytesOf(buffers: readonly GPUBuffer[]): number {
  return buffers.reduce((sum, { size }) => sum + size, 0);
}
