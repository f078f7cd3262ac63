/**
 * Whether it is worth asking for graphics adapters at all: without a device file of a card there is none, and loading
 * Dawn to learn that takes a tenth of a second of every start and prints its own warnings.
 */
import { existsSync, readdirSync } from "node:fs";

/** DRM's render nodes (AMD, Intel, NVIDIA), NVIDIA's own where DRM is off, and WSL's. */
const linuxFiles: readonly string[] = ["/dev/nvidiactl", "/dev/dxg"];
const linuxFolder = "/dev/dri";

/** False only where it is certain that there is no card; other systems than Linux always may have one. */
export function mayHaveGraphicsCard(): boolean {
  if (process.platform !== "linux") return true;
  if (linuxFiles.some((file) => existsSync(file))) return true;
  return (
    existsSync(linuxFolder) && readdirSync(linuxFolder).some((file) => file.startsWith("renderD"))
  );
}
