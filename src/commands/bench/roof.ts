/** What a graphics card reads at most: the roof that `bench` sets its bytes a second against. */
import { listAdapters } from "../../backends/webgpu/adapter.ts";
import { mayHaveGraphicsCard } from "../../backends/webgpu/card-presence.ts";
import type { BytesPerSecond } from "../../core/units.ts";
import { machineProfile } from "../../devices/hardware/measure-machine.ts";
import type { EngineOptions } from "../../engine/options.ts";

/**
 * The fastest of the card's kernels in the measured profile of this machine, measured now if it never was; undefined
 * where these options put no whole model on a card. Asked for before a model is loaded, which may leave no room for it.
 */
export async function gpuRoof(options: EngineOptions): Promise<BytesPerSecond | undefined> {
  const { device = "auto", threads } = options;
  const isPossible = device === "gpu" || (device === "auto" && mayHaveGraphicsCard());
  if (!isPossible) return undefined;
  const adapter = options.gpu ?? (device === "gpu" ? await onlySoftware() : undefined);
  const { gpu } = await machineProfile({
    ...(adapter !== undefined && { gpu: adapter }),
    ...(threads !== undefined && { threads }),
  });
  return gpu === null ? undefined : Math.max(...Object.values(gpu.readBytesPerSecond));
}

/** The adapter that device gpu takes where there is no hardware one. */
async function onlySoftware(): Promise<number | undefined> {
  const adapters = await listAdapters();
  const isSoftware = adapters.length > 0 && adapters.every(({ kind }) => kind === "software");
  return isSoftware ? 0 : undefined;
}
