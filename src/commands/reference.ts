/** The model that a sparse method or another device is judged against: the same file, dense, on the processor. */
import type { EngineOptions } from "../engine/options.ts";

/** The reference backend stays where it was asked for: it is the slowest, and the exactest. */
export function denseReference(options: EngineOptions): EngineOptions {
  const device = options.device === "reference" ? "reference" : "auto";
  return { ...options, device, sparsity: "dense" };
}
