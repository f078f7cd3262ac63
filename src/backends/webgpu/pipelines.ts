/**
 * Compute pipelines, one for each distinct kernel source, compiled in parallel and kept for the backend's life:
 * layers of the same shape share theirs, and so do two models of the same shapes.
 */
import type { OpenDevice } from "./device.ts";
import type { KernelCall } from "./kernel.ts";

export interface Pipelines {
  /** Compiles what is missing. @throws DeviceError with the compiler's words. */
  compile(calls: readonly KernelCall[]): Promise<void>;
  pipeline(code: string): GPUComputePipeline;
}

export function createPipelines(open: OpenDevice): Pipelines {
  const byCode = new Map<string, GPUComputePipeline>();
  const compileOne = async (label: string, code: string): Promise<void> => {
    const module = open.device.createShaderModule({ label, code });
    const compute = { module, entryPoint: "main" };
    byCode.set(
      code,
      await open.device.createComputePipelineAsync({ label, layout: "auto", compute }),
    );
  };
  return {
    compile: async (calls) => {
      const missing = new Map(
        calls.filter(({ code }) => !byCode.has(code)).map(({ code, label }) => [code, label]),
      );
      await open.guarded("compiling kernels", () =>
        Promise.all([...missing].map(([code, label]) => compileOne(label, code))),
      );
    },
    pipeline: (code) => {
      const pipeline = byCode.get(code);
      if (pipeline === undefined) throw new RangeError("a kernel was not compiled");
      return pipeline;
    },
  };
}
