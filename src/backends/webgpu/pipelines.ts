/**
 * Compute pipelines, one for each distinct kernel source, kept for the backend's life: layers of the same shape share
 * theirs, and so do two models of the same shapes. A kernel can be bound before it is compiled, so that what no step
 * has needed yet is not compiled at all.
 */
import type { Milliseconds } from "../../core/units.ts";
import type { OpenDevice } from "./device.ts";
import type { Binding, KernelCall } from "./kernel.ts";

/** One source: what its bind groups look like, and the pipeline as soon as there is one. */
export interface Kernel {
  readonly label: string;
  readonly code: string;
  readonly layout: GPUBindGroupLayout;
  pipeline: GPUComputePipeline | undefined;
  /** Settles when the pipeline is there or cannot be made. */
  compiling: Promise<void> | undefined;
}

/** What a call of `compile` has compiled. */
export interface Compiled {
  readonly pipelines: number;
  readonly milliseconds: Milliseconds;
}

export interface Pipelines {
  kernel(call: KernelCall): Kernel;
  /** Starts every compilation that is still missing, all at once, and waits until all are done. @throws DeviceError with the compiler's words. */
  compile(kernels: Iterable<Kernel>): Promise<Compiled>;
}

export function createPipelines(open: OpenDevice): Pipelines {
  const byCode = new Map<string, Kernel>();
  const layouts = new Map<string, GPUBindGroupLayout>();
  const layoutOf = (bindings: readonly Binding[]): GPUBindGroupLayout => {
    const key = bindings.map(({ access }) => access).join();
    const known = layouts.get(key);
    if (known !== undefined) return known;
    const made = open.device.createBindGroupLayout({ entries: layoutEntries(bindings) });
    layouts.set(key, made);
    return made;
  };
  return {
    kernel: ({ label, code, bindings }) => {
      const known = byCode.get(code);
      if (known !== undefined) return known;
      const made = {
        label,
        code,
        layout: layoutOf(bindings),
        pipeline: undefined,
        compiling: undefined,
      };
      byCode.set(code, made);
      return made;
    },
    compile: async (kernels) => {
      const wanted = [...new Set(kernels)].filter(({ pipeline }) => pipeline === undefined);
      const fresh = wanted.filter(({ compiling }) => compiling === undefined);
      const begun = performance.now();
      const underWay = wanted.map(({ compiling }) => compiling);
      await Promise.all([
        ...underWay,
        open.guarded("compiling kernels", () =>
          Promise.all(fresh.map((kernel) => compileOne(open.device, kernel))),
        ),
      ]);
      const milliseconds = fresh.length === 0 ? 0 : performance.now() - begun;
      return { pipelines: fresh.length, milliseconds };
    },
  };
}

async function compileOne(device: GPUDevice, kernel: Kernel): Promise<void> {
  const { label, code, layout } = kernel;
  const module = device.createShaderModule({ label, code });
  const pipelineLayout = device.createPipelineLayout({ bindGroupLayouts: [layout] });
  const compute = { module, entryPoint: "main" };
  const made = device
    .createComputePipelineAsync({ label, layout: pipelineLayout, compute })
    .then((pipeline) => {
      kernel.pipeline = pipeline;
    })
    .finally(() => {
      kernel.compiling = undefined;
    });
  kernel.compiling = made;
  await made;
}

function layoutEntries(bindings: readonly Binding[]): GPUBindGroupLayoutEntry[] {
  const types: Readonly<Record<Binding["access"], GPUBufferBindingType>> = {
    read: "read-only-storage",
    read_write: "storage",
    uniform: "uniform",
  };
  return bindings.map(({ access }, binding) => ({
    binding,
    visibility: GPUShaderStage.COMPUTE,
    buffer: { type: types[access] },
  }));
}
