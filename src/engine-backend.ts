/** Which backend runs the model: the fastest there is, or the one that was asked for; never silently another. */
import type { Backend } from "./backends/backend.ts";
import { loadAddon } from "./backends/cpu/addon.ts";
import { createCpuBackend } from "./backends/cpu/cpu-backend.ts";
import { createReferenceBackend } from "./backends/reference/reference-backend.ts";
import type { ResolvedEngineOptions } from "./engine-options.ts";

export interface ChosenBackend {
  readonly backend: Backend;
  /** What the user should know about the choice. */
  readonly notice?: string;
}

/** @throws DeviceError when the device that was asked for cannot be had. */
export function chooseBackend({ device, threads }: ResolvedEngineOptions): ChosenBackend {
  switch (device) {
    case "reference":
      return { backend: createReferenceBackend() };
    case "cpu":
      return { backend: openCpu(threads) };
    case "auto":
      return chooseFastest(threads);
    default:
      return device satisfies never;
  }
}

function openCpu(threads: number | undefined): Backend {
  return createCpuBackend(threads === undefined ? {} : { threads });
}

function chooseFastest(threads: number | undefined): ChosenBackend {
  const addon = loadAddon();
  if (addon.kind === "loaded") return { backend: openCpu(threads) };
  const notice = `running on the slow reference backend: ${addon.reason}`;
  return { backend: createReferenceBackend(), notice };
}
