/**
 * Whether it is worth asking for graphics adapters at all: without a device file of a card there is none, and loading
 * Dawn to learn that takes a tenth of a second of every start and prints its own warnings.
 */
import { existsSync, readdirSync } from "node:fs";

/** DRM's render nodes (AMD, Intel, NVIDIA), NVIDIA's own where DRM is off, and WSL's. */
const linuxFiles: readonly string[] = ["/dev/nvidiactl", "/dev/dxg"];
const linuxFolder = "/dev/dri";

/** Where Vulkan's loader finds drivers, software ones too (Vulkan loader, "Driver Discovery"). */
const driverFolders: readonly string[] = [
  "/etc/vulkan/icd.d",
  "/usr/share/vulkan/icd.d",
  "/usr/local/share/vulkan/icd.d",
];

/** False only where it is certain that there is neither a card nor a driver that imitates one. */
export function mayHaveAdapter(): boolean {
  if (mayHaveGraphicsCard()) return true;
  const named = process.env["VK_ICD_FILENAMES"] ?? process.env["VK_DRIVER_FILES"];
  if (named !== undefined && named !== "") return true;
  return driverFolders.some((folder) => existsSync(folder) && readdirSync(folder).length > 0);
}

/** False only where it is certain that there is no card; other systems than Linux always may have one. */
export function mayHaveGraphicsCard(): boolean {
  if (process.platform !== "linux") return true;
  if (linuxFiles.some((file) => existsSync(file))) return true;
  return (
    existsSync(linuxFolder) && readdirSync(linuxFolder).some((file) => file.startsWith("renderD"))
  );
}
