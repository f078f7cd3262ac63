/**
 * The GPU backend: WebGPU through Dawn, any vendor's card. It records a program, refuses what does not fit before the
 * first upload, then allocates, compiles and uploads.
 */
import { DeviceError, LimitError } from "../../core/errors.ts";
import { type Bytes, formatBytes } from "../../core/units.ts";
import { cellsOf, keepsCheckpoints, recurrentLayer } from "../../ops/kv-shape.ts";
import type { Program } from "../../ops/program.ts";
import type { Backend, CompileOptions } from "../backend.ts";
import { plainMatrices } from "../plain-matrices.ts";
import { type AdapterChoice, chooseAdapter, listAdapters, takeAdapter } from "./adapter.ts";
import type { AdapterDescription } from "./adapter-description.ts";
import { type FeatureUse, type OpenDevice, openDevice } from "./device.ts";
import { type GpuExecutable, WebGpuExecutable } from "./executable.ts";
import { type BufferSpec, fixed, type KernelCall, type LoopBounds, one } from "./kernel.ts";
import { copySequenceCode, positionWords } from "./kernels/kv.ts";
import { copyStateCode } from "./kernels/recurrent.ts";
import { createPipelines, type Kernel, type Pipelines } from "./pipelines.ts";
import type { ReadyCall, ReadyProgram } from "./ready-program.ts";
import { bytesOf, type Recording, recordProgram } from "./recording.ts";
import type { BindingLimits } from "./recording-buffers.ts";
import { createRunShape, isWanted } from "./run-shape.ts";
import type { CutSizes } from "./submission-cuts.ts";
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
  /** Workgroups of a dimension (default: what the adapter can). Smaller values fold grids that are larger. */
  readonly maxGroups?: number;
  /** As of BindingLimits. Smaller values stream small weights in several pieces. */
  readonly windowBytes?: Bytes;
  /** Default "fixed" on hardware, "uniform" on software adapters, where compiling is what takes time. */
  readonly loops?: LoopBounds;
  /** Where steps are cut into submissions (default: submission-cuts.ts). Smaller sizes cut small programs. */
  readonly cuts?: CutSizes;
}

export interface WebGpuBackend extends Backend {
  readonly adapter: AdapterDescription;
  /** Bytes that compile would allocate on the card, exactly. */
  estimate(program: Program): Bytes;
  compile(program: Program, options?: CompileOptions): Promise<GpuExecutable>;
  /** Ends the device as a driver's reset would: runs fail with one DeviceError. For tests. */
  loseDevice(): void;
}

/** @throws DeviceError when there is no adapter or device; OptionError if `adapter` names no adapter of this machine. */
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
    maxGroups: Math.min(
      options.maxGroups ?? Number.POSITIVE_INFINITY,
      open.device.limits.maxComputeWorkgroupsPerDimension,
    ),
    ...(options.windowBytes !== undefined && { windowBytes: options.windowBytes }),
    loops: options.loops ?? (adapter.kind === "software" ? "uniform" : "fixed"),
    features: {
      subgroups: open.features.has("subgroups"),
      halves: open.features.has("shader-f16"),
    },
  };
  const made = {
    open,
    pipelines,
    limits,
    ...(budget === undefined ? {} : { budget }),
    ...(options.cuts && { cuts: options.cuts }),
  };
  return {
    adapter,
    description: `gpu (${adapter.name}, ${adapter.backend}, ${adapter.kind})`,
    ...plainMatrices,
    estimate: (program) => estimateGpuBytes(program, limits),
    compile: (program, compileOptions = {}) => compile(program, compileOptions, made),
    loseDevice: () => open.device.destroy(),
    [Symbol.dispose]: () => open[Symbol.dispose](),
  };
}

/** What a program takes on an adapter. */
export interface GpuUse {
  /** Of weights, cache, scratch and staging. */
  readonly bytes: Bytes;
  /** Kernel calls of a step of one row, in all segments. */
  readonly calls: number;
}

/** Of an adapter with these limits. */
export function estimateGpuUse(program: Program, limits: BindingLimits): GpuUse {
  const recording = recordProgram(program, limits);
  const ofOneRow = ({ when, attention }: KernelCall): boolean =>
    (when === undefined || (when.min <= 1 && when.max >= 1)) && attention !== "tiles";
  const calls = recording.segments.reduce((sum, of) => sum + of.calls.filter(ofOneRow).length, 0);
  return { bytes: totalBytes(recording), calls };
}

/** Bytes of weights, cache, scratch and staging of a program on an adapter with these limits. */
export function estimateGpuBytes(program: Program, limits: BindingLimits): Bytes {
  return estimateGpuUse(program, limits).bytes;
}

interface Compiled {
  readonly open: OpenDevice;
  readonly pipelines: Pipelines;
  readonly limits: BindingLimits;
  readonly budget?: Bytes;
  readonly cuts?: CutSizes;
}

async function compile(
  program: Program,
  options: CompileOptions,
  { open, pipelines, limits, budget, cuts }: Compiled,
): Promise<GpuExecutable> {
  const recording = recordProgram(program, limits);
  checkBudget(recording, budget);
  const failure = open.failure();
  if (failure !== undefined) throw failure;
  const gpu = new Map<BufferSpec, GPUBuffer>();
  try {
    const within = budget === undefined ? "" : ` within a budget of ${formatBytes(budget)}`;
    await open.guarded(`allocating ${formatBytes(totalBytes(recording))}${within}`, () =>
      allocate(recording, open.device, gpu),
    );
    const bound = await open.guarded("binding buffers", () =>
      bindAll(recording, gpu, { open, pipelines }),
    );
    const kernels = firstKernels(bound);
    if (kernels.length > 0) options.onCompile?.(kernels.length);
    const upload = { ...options, device: open.device, total: uploadBytes(recording) };
    // Both are awaited whatever happens: neither may go on with buffers that are gone.
    const [compiled, uploaded] = await Promise.allSettled([
      pipelines.compile(kernels),
      uploadAll(gpu, upload),
    ]);
    if (compiled.status === "rejected") throw compiled.reason;
    if (uploaded.status === "rejected") throw uploaded.reason;
    return new WebGpuExecutable({ ...bound, ...(cuts && { cuts }), compiled: compiled.value });
  } catch (error) {
    for (const buffer of gpu.values()) buffer.destroy();
    throw open.failure() ?? error;
  }
}

function checkBudget(recording: Recording, budget: Bytes | undefined): void {
  const needed = totalBytes(recording);
  if (budget === undefined || needed <= budget) return;
  const parts = (["weights", "kv", "scratch", "staging", "window"] as const).map(
    (purpose) => `${purpose} ${formatBytes(bytesOf(recording, purpose))}`,
  );
  throw new LimitError(
    `the program needs ${formatBytes(needed)} on the graphics card (${parts.join(", ")}), the budget is ${formatBytes(budget)}. ` +
      "Lower the context length or the batch, raise the VRAM budget, or use device hybrid or cpu",
  );
}

function totalBytes(recording: Recording): Bytes {
  return bytesOf(recording, "weights", "kv", "scratch", "staging", "uniform", "window");
}

function uploadBytes(recording: Recording): Bytes {
  return recording.buffers.reduce(
    (sum, { contents, bytes }) => sum + (contents.length > 0 ? bytes : 0),
    0,
  );
}

function allocate(recording: Recording, device: GPUDevice, gpu: Map<BufferSpec, GPUBuffer>): void {
  const { STORAGE, COPY_DST, COPY_SRC, MAP_READ, UNIFORM } = GPUBufferUsage;
  for (const spec of recording.buffers) {
    const isStaging = spec.purpose === "staging";
    const isUniform = spec.purpose === "uniform";
    const plain = isUniform ? UNIFORM | COPY_DST : STORAGE | COPY_DST | COPY_SRC;
    const usage = isStaging ? MAP_READ | COPY_DST : plain;
    gpu.set(spec, device.createBuffer({ label: spec.label, size: spec.bytes, usage }));
  }
}

/** For the keys and the values of each layer that has them, or that keeps them in checkpoints. */
function copyCellsCalls(
  recording: Recording,
  of: "sequences" | "checkpoints",
): readonly KernelCall[] {
  const { kv } = recording.program;
  return kv.layers.flatMap((own, layer) => {
    if (of === "checkpoints" && !keepsCheckpoints(own, kv.contextLength)) return [];
    const cells = cellsOf(kv, layer);
    const keys = recording.keys[layer];
    const values = recording.values[layer];
    if (cells === undefined || keys === undefined || values === undefined) return [];
    const copy = (cache: BufferSpec, width: number): KernelCall =>
      copyCall(recording, cache, copySequenceCode(cells, { words: positionWords(cells, width) }));
    return [copy(keys, cells.keyWidth), copy(values, cells.valueWidth)];
  });
}

/** For each layer with a state of fixed size. */
function copyStateCalls(recording: Recording): readonly KernelCall[] {
  const { kv } = recording.program;
  return recording.states.flatMap((state, layer) => {
    const own = recurrentLayer(kv, layer);
    if (state === undefined || own === undefined) return [];
    return [copyCall(recording, state, copyStateCode(own))];
  });
}

function copyCall(recording: Recording, buffer: BufferSpec, code: string): KernelCall {
  const bindings = [
    { name: "request", type: "vec4<u32>", access: "uniform", buffer: recording.copyRequest },
    { name: "cache", type: "", access: "read_write", buffer },
  ] as const;
  return { label: "copy", code, bindings, groups: [fixed(256), one, one] };
}

/** What every step of an answer needs: kernels of one row. Others are compiled when a step first needs them. */
function firstKernels({ calls }: Pick<ReadyProgram, "calls">): readonly Kernel[] {
  const shape = { ...createRunShape(), rows: 1, outputs: 1 };
  const wanted = calls.flat().filter(({ call }) => isWanted(call, shape));
  const kernels = new Set(wanted.map(({ kernel }) => kernel));
  return [...kernels].filter(({ pipeline }) => pipeline === undefined);
}

function bindAll(
  recording: Recording,
  gpu: ReadonlyMap<BufferSpec, GPUBuffer>,
  { open, pipelines }: Pick<ReadyProgram, "open" | "pipelines">,
): Omit<ReadyProgram, "compiled"> {
  const bind = (call: KernelCall): ReadyCall => {
    const kernel = pipelines.kernel(call);
    const entries = call.bindings.flatMap(({ buffer: spec }, binding) => {
      const place = spec.window === undefined ? spec : recording.windows[spec.window];
      const buffer = place && gpu.get(place);
      // Kernels find what stands behind the rows by the end of the binding.
      const size = spec.window === undefined ? {} : { size: spec.bytes };
      return buffer === undefined ? [] : [{ binding, resource: { buffer, ...size } }];
    });
    return {
      call,
      kernel,
      bindGroup: open.device.createBindGroup({ layout: kernel.layout, entries }),
    };
  };
  const calls = recording.segments.map((segment) => segment.calls.map(bind));
  const copySequence = copyCellsCalls(recording, "sequences").map(bind);
  const copyRings = copyCellsCalls(recording, "checkpoints").map(bind);
  const copyState = copyStateCalls(recording).map(bind);
  return { recording, open, pipelines, gpu, calls, copySequence, copyRings, copyState };
}
