/** A backend of this machine's processor, for work that needs every layer's activations on the host: profiles, training. */

import { loadAddon } from "../backends/addon.ts";
import type { Backend } from "../backends/backend.ts";
import { createCpuBackend } from "../backends/cpu/cpu-backend.ts";
import { type FileOptions, fileUse } from "../backends/cpu/mapped-files.ts";
import { createReferenceBackend } from "../backends/reference/reference-backend.ts";
import { defined } from "../core/defined.ts";
import type { Transpose } from "../derived-weights/transpose.ts";

/** "auto": the native backend, or the reference where there is none, with a notice. */
export type HostDevice = "auto" | "cpu" | "reference";

export const hostDevices: readonly HostDevice[] = ["auto", "cpu", "reference"];

export interface HostUse extends FileOptions {
  readonly threads?: number | undefined;
  readonly exact?: boolean | undefined;
}

/** The caller disposes of it. Notices grow while programs are compiled. @throws DeviceError when the native backend was asked for and is missing. */
export function openHostBackend(
  device: HostDevice,
  { threads, exact, ...files }: HostUse = {},
): { readonly backend: Backend; readonly notices: readonly string[] } {
  const native = device === "auto" ? loadAddon() : undefined;
  if (native?.kind === "missing") {
    const notice = `running on the slow reference backend: ${native.reason}`;
    return { backend: createReferenceBackend(), notices: [notice] };
  }
  if (device === "reference") return { backend: createReferenceBackend(), notices: [] };
  const backend = createCpuBackend(defined({ threads, exact, files: fileUse(files) }));
  return {
    backend,
    get notices() {
      return backend.notices;
    },
  };
}

/** Transposes with the processor's threads. They start with the first matrix: most models have none to transpose. */
export function openTransposer(
  threads: number | undefined,
): Disposable & { readonly transpose: Transpose } {
  let backend: Backend | undefined;
  return {
    transpose: (weight, type) => {
      backend ??= openHostBackend("auto", { threads }).backend;
      return backend.transpose(weight, type);
    },
    [Symbol.dispose]: () => backend?.[Symbol.dispose](),
  };
}
