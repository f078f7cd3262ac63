/**
 * Loads Dawn (npm `@hearth-llm/gpu`, or `webgpu` in a checkout; both optional) and holds its instances.
 * The one module-level state of this backend: when the object that create() returns is collected while a device
 * of it lives, the process crashes (research: "futex facility returned an unexpected error"), and while it is
 * held, Node does not exit by itself. So an instance is held exactly as long as somebody has taken it.
 */
import { createRequire } from "node:module";
import { DeviceError } from "../../core/errors.ts";
import { packagePath } from "../../core/package-root.ts";
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

/** The GPU's package of a published hearth, an optional peer: it brings Dawn for its own system alone. */
const gpuPackage = "@hearth-llm/gpu";

export const howToGetGpu: string = `"npm install ${gpuPackage}" brings it, with -g where hearth was installed so`;

/** Whether there is a package to load: this one, or in a checkout "webgpu", which has Dawn for all systems. */
export function isGpuInstalled(): boolean {
  return [gpuPackage, "webgpu"].some(isInstalled);
}

function isInstalled(name: string): boolean {
  try {
    createRequire(packagePath("package.json")).resolve(name);
    return true;
  } catch {
    return false;
  }
}

async function loadModule(): Promise<WebGpuModule> {
  if (!isGpuInstalled()) {
    throw new DeviceError(
      `the GPU needs the optional package ${gpuPackage}, which is not installed; ${howToGetGpu}, or use device cpu`,
    );
  }
  const isOwn = isInstalled(gpuPackage);
  try {
    const loaded: WebGpuModule = await (isOwn ? import(gpuPackage) : import("webgpu"));
    Object.assign(globalThis, loaded.globals);
    return loaded;
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    throw new DeviceError(
      `the optional package ${isOwn ? gpuPackage : "webgpu"} did not load (${reason}). It wants a system that it was ` +
        "built for (Linux: glibc 2.34 and libstdc++ of GCC 12); install it again, or use device cpu",
    );
  }
}
