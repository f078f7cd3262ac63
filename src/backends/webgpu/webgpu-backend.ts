/**
 * The GPU backend: WebGPU through Dawn, any vendor's card. It plans a program, refuses what does not fit before the
 * first upload, then allocates, compiles and uploads.
 */
import { DeviceError, LimitError } from "../../core/errors.ts";
import { type Bytes, formatBytes } from "../../core/units.ts";
import type { Program } from "../../ops/program.ts";
import type { Backend, PrepareOptions } from "../backend.ts";
import {
  type AdapterChoice,
  type AdapterDescription,
  chooseAdapter,
  listAdapters,
  takeAdapter,
} from "./adapter.ts";
import { type FeatureUse, type OpenDevice, openDevice } from "./device.ts";
import { type GpuExecutable, type ReadyProgram, WebGpuExecutable } from "./executable.ts";
import type { BufferSpec, KernelCall, LoopBounds } from "./kernel.ts";
import { copySequenceCode } from "./kernels/kv.ts";
import { createPipelines, type Pipelines } from "./pipelines.ts";
import { bytesOf, type Plan, planProgram } from "./plan.ts";
import type { BindingLimits } from "./plan-buffers.ts";
import { uploadAll } from "./upload.ts";

export interface WebGpuOptions {
  /** Default "auto": the first adapter that is not software, discrete before integrated. */
  readonly adapter?: AdapterChoice;
  /** Most bytes that a program may take. Default: the card's memory; no limit for software adapters. */
  readonly vramBudget?: Bytes;
  /** Default "all" that the adapter has. "plain" takes the code path that needs no optional feature. */
  readonly features?: FeatureUse;
  /** Bind at most so much at once (default: what the adapter can). Smaller values cut weights into more pieces. */
  readonly maxBinding?: Bytes;
  /** Default "fixed" on hardware, "uniform" on software adapters, where compiling is what takes time. */
  readonly loops?: LoopBounds;
}

export interface WebGpuBackend extends Backend {
  readonly adapter: AdapterDescription;
  /** Bytes that prepare would allocate on the card, exactly. */
  estimate(program: Program): Bytes;
  prepare(program: Program, options?: PrepareOptions): Promise<GpuExecutable>;
  /** Ends the device as a driver's reset would: runs fail with one DeviceError. For tests. */
  loseDevice(): void;
}

/** @throws DeviceError when there is no adapter or device; OptionError for a choice that names none. */
export async function createWebGpuBackend(options: WebGpuOptions = {}): Promise<WebGpuBackend> {
  const adapter = chooseAdapter(await listAdapters(), options.adapter ?? "auto");
  const taken = await takeAdapter(adapter);
  if (taken === undefined) throw new DeviceError(`${adapter.name}: the adapter is gone; try again`);
  const features = options.features ?? "all";
  const open = await openDevice(taken, { name: adapter.name, features });
  const pipelines = createPipelines(open);
  const budget = options.vramBudget ?? adapter.memory;
  const limits: BindingLimits = {
    maxBinding: Math.min(
      options.maxBinding ?? Number.POSITIVE_INFINITY,
      open.device.limits.maxStorageBufferBindingSize,
    ),
    maxBuffer: open.device.limits.maxBufferSize,
    loops: options.loops ?? (adapter.kind === "software" ? "uniform" : "fixed"),
    features: {
      subgroups: open.features.has("subgroups"),
      halves: open.features.has("shader-f16"),
    },
  };
  const made = { open, pipelines, limits, ...(budget === undefined ? {} : { budget }) };
  return {
    adapter,
    description: `gpu (${adapter.name}, ${adapter.backend}, ${adapter.kind})`,
    estimate: (program) => estimateGpuBytes(program, limits),
    prepare: (program, prepareOptions = {}) => prepare(program, prepareOptions, made),
    loseDevice: () => open.device.destroy(),
    [Symbol.dispose]: () => open[Symbol.dispose](),
  };
}

/** Bytes of weights, cache, scratch and staging of a program on an adapter with these limits. */
export function estimateGpuBytes(program: Program, limits: BindingLimits): Bytes {
  return totalBytes(planProgram(program, limits));
}

interface Prepared {
  readonly open: OpenDevice;
  readonly pipelines: Pipelines;
  readonly limits: BindingLimits;
  readonly budget?: Bytes;
}

async function prepare(
  program: Program,
  options: PrepareOptions,
  { open, pipelines, limits, budget }: Prepared,
): Promise<GpuExecutable> {
  const plan = planProgram(program, limits);
  checkBudget(plan, budget);
  const failure = open.failure();
  if (failure !== undefined) throw failure;
  const copyCall = copySequenceCall(plan);
  const calls = plan.segments.flatMap((segment) => [...segment.calls]);
  await pipelines.compile([...calls, copyCall]);
  const gpu = new Map<BufferSpec, GPUBuffer>();
  try {
    await open.guarded("allocating memory", () => allocate(plan, open.device, gpu));
    await uploadAll(gpu, { ...options, device: open.device, total: uploadBytes(plan) });
    const ready = await open.guarded("binding buffers", () =>
      bindAll({ plan, open, gpu, copyCall }, pipelines),
    );
    return new WebGpuExecutable(ready);
  } catch (error) {
    for (const buffer of gpu.values()) buffer.destroy();
    throw open.failure() ?? error;
  }
}

function checkBudget(plan: Plan, budget: Bytes | undefined): void {
  const needed = totalBytes(plan);
  if (budget === undefined || needed <= budget) return;
  const parts = (["weights", "kv", "scratch", "staging"] as const).map(
    (purpose) => `${purpose} ${formatBytes(bytesOf(plan, purpose))}`,
  );
  throw new LimitError(
    `the program needs ${formatBytes(needed)} on the graphics card (${parts.join(", ")}), the budget is ${formatBytes(budget)}. ` +
      "Lower the context length or the batch, raise --vram-budget, or run with --device hybrid or cpu",
  );
}

function totalBytes(plan: Plan): Bytes {
  return bytesOf(plan, "weights", "kv", "scratch", "staging", "uniform");
}

function uploadBytes(plan: Plan): Bytes {
  return plan.buffers.reduce(
    (sum, { contents, bytes }) => sum + (contents.length > 0 ? bytes : 0),
    0,
  );
}

function allocate(plan: Plan, device: GPUDevice, gpu: Map<BufferSpec, GPUBuffer>): void {
  const { STORAGE, COPY_DST, COPY_SRC, MAP_READ, UNIFORM } = GPUBufferUsage;
  for (const spec of plan.buffers) {
    const isStaging = spec.purpose === "staging";
    const isUniform = spec.purpose === "uniform";
    const plain = isUniform ? UNIFORM | COPY_DST : STORAGE | COPY_DST | COPY_SRC;
    const usage = isStaging ? MAP_READ | COPY_DST : plain;
    gpu.set(spec, device.createBuffer({ label: spec.label, size: spec.bytes, usage }));
  }
}

function copySequenceCall(plan: Plan): KernelCall {
  const code = copySequenceCode(plan.program.kv.type);
  const once = { kind: "fixed", count: 256 } as const;
  const one = { kind: "fixed", count: 1 } as const;
  return { label: "copy sequence", code, bindings: [], groups: [once, one, one] };
}

function bindAll(
  made: {
    readonly plan: Plan;
    readonly open: OpenDevice;
    readonly gpu: ReadonlyMap<BufferSpec, GPUBuffer>;
    readonly copyCall: KernelCall;
  },
  pipelines: Pipelines,
): ReadyProgram {
  const { plan, open, gpu, copyCall } = made;
  const bind = (pipeline: GPUComputePipeline, specs: readonly BufferSpec[]): GPUBindGroup =>
    open.device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: specs.flatMap((spec, binding) => {
        const buffer = gpu.get(spec);
        return buffer === undefined ? [] : [{ binding, resource: { buffer } }];
      }),
    });
  const calls = plan.segments.map((segment) =>
    segment.calls.map((call) => {
      const pipeline = pipelines.pipeline(call.code);
      return {
        call,
        pipeline,
        bindGroup: bind(
          pipeline,
          call.bindings.map(({ buffer }) => buffer),
        ),
      };
    }),
  );
  const pipeline = pipelines.pipeline(copyCall.code);
  const caches = [...plan.keys, ...plan.values];
  const bindGroups = caches.map((cache) => bind(pipeline, [plan.copyRequest, cache]));
  return { plan, open, gpu, calls, copySequence: { pipeline, bindGroups } };
}
