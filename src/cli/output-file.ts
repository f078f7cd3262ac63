/** A file that a command will write when its work is done: judged before the work, opened only then. */
import { accessSync, constants, statSync } from "node:fs";
import { dirname } from "node:path";
import { OptionError } from "../index.ts";

/**
 * Nothing is made, nothing is emptied: what is in the file stays until there is something to write.
 * @throws OptionError naming the option, for a path that cannot be written.
 */
export function checkOutputFile(path: string | undefined, option: string): void {
  if (path === undefined) return;
  const found = path === "" ? undefined : statSync(path, { throwIfNoEntry: false });
  if (path === "" || found?.isDirectory())
    throw new OptionError(option, `"${path}"`, "the path of a file");
  try {
    accessSync(found === undefined ? dirname(path) : path, constants.W_OK);
  } catch {
    throw new OptionError(
      option,
      `"${path}"`,
      "a file that can be written, in a folder that exists",
    );
  }
}
