/**
 * Several backends as one: each compiles its share of a program by a placement, and steps run on all at once.
 * Any backends will do; they are called cards and cpu after what they are for. docs/decisions/0006-hybrid-executor.md.
 */
import type { Backend, CompileOptions, Executable } from "../../backends/backend.ts";
import { HearthError } from "../../core/errors.ts";
import type { Program } from "../../ops/program.ts";
import { cpuDevice, type DeviceId, gpuDevice } from "../../placement/plan.ts";
import type { PromptRule } from "../../placement/prompt-path.ts";
import type { AdaptOptions } from "./adapt.ts";
import { HybridExchange } from "./exchange.ts";
import { createHybridExecutable, type HybridExecutable } from "./executable.ts";
import { ExpertExchange } from "./expert-exchange.ts";
import { partitionProgram } from "./partition.ts";
import type { Placement } from "./placement.ts";

export interface HybridBackendOptions {
  /** The card that plans name gpu0. */
  readonly gpu: Backend;
  /** Those that they name gpu1 and so on. Default: none. */
  readonly furtherCards?: readonly Backend[];
  readonly cpu: Backend;
  readonly placement: Placement;
  /** Keep a timeline of every step. Default false. */
  readonly timeline?: boolean;
  /** Exchange neurons between the devices while nothing runs, or experts between steps. Default: none. */
  readonly adapt?: AdaptOptions;
  /** The way that split layers of longer prompts take. Default: that of answers. */
  readonly promptPath?: PromptRule;
}

export interface HybridBackend extends Backend {
  compile(program: Program, options?: CompileOptions): Promise<HybridExecutable>;
}

/** Disposes both backends with itself. */
export function createHybridBackend(options: HybridBackendOptions): HybridBackend {
  const { gpu, furtherCards = [], cpu, placement, timeline = false } = options;
  const { adapt, promptPath } = options;
  const backends = new Map<DeviceId, Backend>([
    [gpuDevice, gpu],
    ...furtherCards.map((card, i) => [`gpu${i + 1}`, card] as const),
    [cpuDevice, cpu],
  ]);
  const backendOf = (device: DeviceId): Backend => {
    const backend = backends.get(device);
    if (backend === undefined)
      throw new HearthError(`the placement uses ${device}, which is not open`);
    return backend;
  };
  return {
    transpose: cpu.transpose,
    multiply: cpu.multiply,
    description: `hybrid (${gpu.description}; ${cpu.description})`,
    compile: async (program, compileOptions = {}) => {
      const partition = partitionProgram(program, placement, {
        merge: timeline ? "apart" : "fused",
        cpuPath: promptPath?.path === "cpu",
        streamPath: promptPath?.path === "stream",
      });
      const made: Executable[] = [];
      try {
        const devices = new Map<DeviceId, Executable>();
        for (const [device, share] of partition.programs) {
          const executable = await backendOf(device).compile(share, compileOptions);
          made.push(executable);
          devices.set(device, executable);
        }
        const pair = { gpu: devices.get(gpuDevice), cpu: devices.get(cpuDevice) };
        const { layers } = placement;
        const isOfExperts = layers.some(({ unit }) => unit === "expert");
        const exchange = isOfExperts ? undefined : HybridExchange.create(pair, layers, adapt);
        const experts = isOfExperts && adapt && ExpertExchange.create(pair, layers, adapt);
        const parts = { program, partition, devices, timeline };
        return createHybridExecutable({
          ...parts,
          ...(exchange && { exchange }),
          ...(experts && { experts }),
          ...(promptPath && { promptPath }),
        });
      } catch (error) {
        for (const executable of made) executable[Symbol.dispose]();
        throw error;
      }
    },
    [Symbol.dispose]: () => {
      for (const backend of backends.values()) backend[Symbol.dispose]();
    },
  };
}
