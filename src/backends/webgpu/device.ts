/**
 * Opens a WebGPU device with everything its adapter offers, and turns its asynchronous failures into one error.
 * Validation errors do not throw in WebGPU: without the scopes here a failed pipeline is silently stale output.
 */
import { DeviceError, LimitError } from "../../core/errors.ts";
import { quietly } from "../quietly.ts";
import type { TakenAdapter } from "./adapter.ts";

/** Optional features that kernels have a faster form for. */
type GpuFeature = "shader-f16" | "subgroups";

/** Those of the list that the adapter has. "plain": none, so only the code path that runs everywhere. */
export type FeatureUse = "all" | "plain" | readonly GpuFeature[];

export interface OpenDevice extends Disposable {
  readonly device: GPUDevice;
  readonly features: ReadonlySet<string>;
  /** Why the device cannot be used any more; undefined while it can. */
  failure(): DeviceError | undefined;
  /** Runs `make` and throws what WebGPU reports about it: LimitError when memory ran out, else DeviceError. */
  guarded<Result>(what: string, make: () => Result | Promise<Result>): Promise<Result>;
}

const usefulFeatures: readonly GpuFeature[] = ["shader-f16", "subgroups"];

export async function openDevice(
  taken: TakenAdapter,
  options: { readonly name: string; readonly features: FeatureUse },
): Promise<OpenDevice> {
  const { adapter } = taken;
  const device = await requestDevice(adapter, options).catch((error: unknown) => {
    throw new DeviceError(
      `${options.name}: no device (${messageOf(error)}). Update its driver, choose another adapter, or use device cpu`,
    );
  });
  let failure: DeviceError | undefined;
  let isClosed = false;
  const fail = (reason: string): void => {
    failure ??= new DeviceError(
      `${options.name}: ${reason}. Restart; if it happens again, lower the VRAM budget or use device cpu`,
    );
  };
  device.onuncapturederror = (event) => fail(`the device reported: ${event.error.message}`);
  const lost = device.lost.then((info) => {
    if (!isClosed) fail(`the device was lost (${info.message || info.reason})`);
  });
  return {
    device,
    features: new Set([...device.features]),
    failure: () => failure,
    guarded: (what, make) => guarded(device, { what: `${options.name}: ${what}`, make }),
    [Symbol.dispose]: () => {
      if (isClosed) return;
      isClosed = true;
      device.destroy();
      // The device holds its handler and the handler this scope: a cycle that no collector sees through.
      device.onuncapturederror = null;
      // Dawn resolves promises through its instance, which must not be collected before the last of them.
      void lost.then(() => taken.held.release());
    },
  };
}

async function requestDevice(
  adapter: GPUAdapter,
  options: { readonly name: string; readonly features: FeatureUse },
): Promise<GPUDevice> {
  const requiredFeatures = wantedFeatures(options.features).filter((feature) =>
    adapter.features.has(feature),
  );
  const descriptor = {
    label: "hearth",
    requiredFeatures,
    requiredLimits: computeLimits(adapter.limits),
  };
  return quietly(() => adapter.requestDevice(descriptor as GPUDeviceDescriptor));
}

function wantedFeatures(use: FeatureUse): readonly GpuFeature[] {
  if (use === "plain") return [];
  return use === "all" ? usefulFeatures : use;
}

/** All limits that a compute program meets: a device gets the low defaults unless it asks. */
function computeLimits(limits: GPUSupportedLimits): Record<string, number> {
  return {
    maxBufferSize: limits.maxBufferSize,
    maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
    maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
    maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
    maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
    maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
    maxComputeWorkgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
  };
}

async function guarded<Result>(
  device: GPUDevice,
  { what, make }: { readonly what: string; readonly make: () => Result | Promise<Result> },
): Promise<Result> {
  for (const filter of errorScopes) device.pushErrorScope(filter);
  const made = (async (): Promise<Result> => make())();
  // A scope covers what was issued before it is popped: pop all before waiting for anything.
  const popped = errorScopes.map(() => device.popErrorScope());
  const [outcome, ...errors] = await Promise.allSettled([made, ...popped]);
  const reported = errors.map((error) => (error.status === "fulfilled" ? error.value : null));
  const memory = reported.find((error) => error instanceof GPUOutOfMemoryError);
  if (memory) {
    throw new LimitError(
      `${what}: the graphics card is out of memory (${memory.message}). Close what else uses the card, lower the VRAM budget or the context length, or use device hybrid or cpu`,
      "card memory",
    );
  }
  const other = reported.find((error) => error !== null);
  if (other) throw new DeviceError(`${what}: ${other.message}`);
  if (outcome.status === "rejected") {
    throw new DeviceError(`${what}: ${messageOf(outcome.reason)}`);
  }
  return outcome.value;
}

const errorScopes: readonly GPUErrorFilter[] = ["out-of-memory", "validation", "internal"];

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
