/**
 * Whether it is worth asking for graphics adapters at all: without a device file of a card there is none, and loading
 * Dawn to learn that takes a tenth of a second of every start and prints its own warnings.
 */
import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** DRM's render nodes (AMD, Intel, NVIDIA), NVIDIA's own where DRM is off, and WSL's. */
const linuxFiles: readonly string[] = ["/dev/nvidiactl", "/dev/dxg"];
const linuxFolder = "/dev/dri";

type Environment = Readonly<Record<string, string | undefined>>;

/** False only where it is certain that there is neither a card nor a driver that imitates one. */
export function mayHaveAdapter(environment: Environment = process.env): boolean {
  return mayHaveGraphicsCard() || mayHaveVulkanDriver(environment);
}

/** Of Vulkan's loader: they name drivers, in place of those in the folders or beside them. */
const driverVariables = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES", "VK_ADD_DRIVER_FILES"] as const;

function mayHaveVulkanDriver(environment: Environment): boolean {
  if (driverVariables.some((name) => (environment[name] ?? "") !== "")) return true;
  return driverFolders(environment).some(holdsFiles);
}

/** What cannot be listed, the loader cannot list either. */
function holdsFiles(folder: string): boolean {
  try {
    return readdirSync(folder).length > 0;
  } catch {
    return false;
  }
}

/**
 * Where Vulkan's loader looks for drivers on Linux, software ones too: below the folders of the XDG base directory
 * specification, with their defaults, and below /etc (Vulkan loader, LoaderDriverInterface.md, "Driver Discovery on Linux").
 */
export function driverFolders(environment: Environment): readonly string[] {
  const listed = (name: string, otherwise: string): readonly string[] =>
    (environment[name] || otherwise).split(":").filter((folder) => folder !== "");
  const home = environment["HOME"] || homedir();
  return [
    ...listed("XDG_CONFIG_HOME", join(home, ".config")),
    ...listed("XDG_CONFIG_DIRS", "/etc/xdg"),
    "/usr/local/etc",
    "/etc",
    ...listed("XDG_DATA_HOME", join(home, ".local/share")),
    ...listed("XDG_DATA_DIRS", "/usr/local/share:/usr/share"),
  ].map((folder) => join(folder, "vulkan/icd.d"));
}

/** False only where a card is certainly absent; on other systems than Linux there may always be one. */
export function mayHaveGraphicsCard(): boolean {
  if (process.platform !== "linux") return true;
  if (linuxFiles.some((file) => existsSync(file))) return true;
  return (
    existsSync(linuxFolder) && readdirSync(linuxFolder).some((file) => file.startsWith("renderD"))
  );
}
