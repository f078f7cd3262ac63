/**
 * Calls into Dawn and drivers, which write warnings of their own to the process's stderr (Dawn, src/dawn/common/Log.cpp):
 * lines about Vulkan that nobody asked for. They are kept for who wants to know why there is no adapter.
 */
import { loadAddon } from "./addon.ts";

/** Passes on what `work` returns or throws. `onWarnings` gets what was written, without Dawn's places in its source. */
export function quietly<Result>(
  work: () => Result,
  onWarnings: (text: string) => void = () => {},
): Result {
  const loaded = loadAddon();
  if (loaded.kind === "missing") return work();
  const results: Result[] = [];
  const written = loaded.addon.quietly(() => results.push(work()));
  const warnings = warningsOf(written);
  if (warnings !== "") onWarnings(warnings);
  const [result] = results;
  if (results.length === 0) throw new Error("the addon runs its work");
  return result as Result;
}

/** "Warning: Couldn't load Vulkan: …\n    at operator() (…)" → "Couldn't load Vulkan: …" */
export function warningsOf(written: string): string {
  const lines = written.split("\n").map((line) => line.trim());
  const said = lines.filter((line) => line !== "" && !/^at .*\(.*:\d+\)$/.test(line));
  return said.map((line) => line.replace(/^(?:Warning|Error|Info): /, "")).join("; ");
}

/**
 * Why there is no Vulkan loader, where the addon cannot keep Dawn quiet about it; undefined where there is one, or
 * where Dawn needs none.
 */
export function missingVulkan(): string | undefined {
  if (process.platform !== "linux" || loadAddon().kind === "loaded") return undefined;
  try {
    process.dlopen({ exports: {} }, "libvulkan.so.1");
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    // It was found and loaded; of course it is no addon.
    return /self-register/.test(reason) ? undefined : reason;
  }
  return undefined;
}
