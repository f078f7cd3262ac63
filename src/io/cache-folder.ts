/** Where hearth keeps what it can make again: $XDG_CACHE_HOME/hearth, ~/.cache/hearth, or the system's own place. */
import { homedir } from "node:os";
import { join } from "node:path";

export function cacheFolder(name: string): string {
  return join(cacheRoot(), "hearth", name);
}

function cacheRoot(): string {
  const chosen = process.env["XDG_CACHE_HOME"];
  if (chosen !== undefined && chosen !== "") return chosen;
  if (process.platform === "darwin") return join(homedir(), "Library", "Caches");
  if (process.platform === "win32") return process.env["LOCALAPPDATA"] ?? homedir();
  return join(homedir(), ".cache");
}
