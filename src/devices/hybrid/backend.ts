/**
 * Two backends as one: each compiles its share of a program by a placement, and steps run on both at once.
 * Any two backends will do; they are called gpu and cpu after what they are for. docs/decisions/0006-hybrid-executor.md.
 */
import type { Backend, CompileOptions, Executable } from "../../backends/backend.ts";
import type { Program } from "../../ops/program.ts";
import type { AdaptOptions } from "./adapt.ts";
import { HybridExchange } from "./exchange.ts";
import { createHybridExecutable, type HybridExecutable } from "./executable.ts";
import { type Placement, partitionProgram } from "./partition.ts";

export interface HybridBackendOptions {
  readonly gpu: Backend;
  readonly cpu: Backend;
  readonly placement: Placement;
  /** Keep a timeline of every step. Default false. */
  readonly timeline?: boolean;
  /** Exchange neurons between the devices while nothing runs. Default: none. */
  readonly adapt?: AdaptOptions;
  /** Rows of a step from which a prompt's split layers run on the CPU alone (placement/prompt-path.ts). Default: never. */
  readonly promptOnCpuFrom?: number;
}

export interface HybridBackend extends Backend {
  compile(program: Program, options?: CompileOptions): Promise<HybridExecutable>;
}

/** Disposes both backends with itself. */
export function createHybridBackend(options: HybridBackendOptions): HybridBackend {
  const { gpu, cpu, placement, timeline = false, adapt, promptOnCpuFrom } = options;
  return {
    transpose: cpu.transpose,
    multiply: cpu.multiply,
    description: `hybrid (${gpu.description}; ${cpu.description})`,
    compile: async (program, compileOptions = {}) => {
      const partition = partitionProgram(program, placement, {
        merge: timeline ? "apart" : "fused",
        cpuPath: promptOnCpuFrom !== undefined,
      });
      const made: Executable[] = [];
      const compile = async (
        backend: Backend,
        share: Program | undefined,
      ): Promise<Executable | undefined> => {
        if (share === undefined) return undefined;
        const executable = await backend.compile(share, compileOptions);
        made.push(executable);
        return executable;
      };
      try {
        const devices = {
          gpu: await compile(gpu, partition.gpu),
          cpu: await compile(cpu, partition.cpu),
        };
        const exchange = HybridExchange.create(devices, placement.layers, adapt);
        const parts = { program, partition, devices, timeline };
        return createHybridExecutable({
          ...parts,
          ...(exchange && { exchange }),
          ...(promptOnCpuFrom !== undefined && { promptOnCpuFrom }),
        });
      } catch (error) {
        for (const executable of made) executable[Symbol.dispose]();
        throw error;
      }
    },
    [Symbol.dispose]: () => {
      gpu[Symbol.dispose]();
      cpu[Symbol.dispose]();
    },
  };
}
