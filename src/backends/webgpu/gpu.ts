/**
 * Loads Dawn (npm `webgpu`, an optional dependency) and holds its instances.
 * The one module-level state of this backend: when the object that create() returns is collected while a device
 * of it lives, the process crashes (research: "futex facility returned an unexpected error"), and while it is
 * held, Node does not exit by itself. So an instance is held exactly as long as somebody has taken it.
 */
import { DeviceError } from "../../core/errors.ts";
import { quietly } from "../quietly.ts";

interface WebGpuModule {
  create(options: string[]): GPU;
  readonly globals: object;
}

const held = new Map<string, { readonly gpu: GPU; users: number }>();

/** A Dawn instance that is held until `release`. */
export interface HeldGpu {
  readonly gpu: GPU;
  release(): void;
}

/**
 * `options` are Dawn's "key=value" strings, such as "adapter=llvmpipe".
 * @throws DeviceError when the package is missing or does not load on this system.
 */
export async function takeGpu(options: readonly string[]): Promise<HeldGpu> {
  const key = options.join("\n");
  const webgpu = await loadModule();
  const entry = held.get(key) ?? { gpu: quietly(() => webgpu.create([...options])), users: 0 };
  held.set(key, entry);
  entry.users++;
  let isReleased = false;
  return {
    gpu: entry.gpu,
    release: () => {
      if (isReleased) return;
      isReleased = true;
      entry.users--;
      if (entry.users === 0) held.delete(key);
    },
  };
}

/** Whether an instance is held: the library may still call into this thread. */
export function holdsGpu(): boolean {
  return held.size > 0;
}

async function loadModule(): Promise<WebGpuModule> {
  try {
    const loaded: WebGpuModule = await import("webgpu");
    Object.assign(globalThis, loaded.globals);
    return loaded;
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    throw new DeviceError(
      `the optional package "webgpu" did not load (${reason}). Install it with "npm install webgpu@0.6.2" ` +
        "(Linux needs glibc 2.34 and libstdc++ of GCC 12), or use device cpu",
    );
  }
}
