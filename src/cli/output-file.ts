/** A file that a command will write when its work is done: judged before the work, replaced as a whole after it. */
import { type Stats, statSync, writeFileSync } from "node:fs";
import { FileAccessError, OptionError } from "../core/errors.ts";
import { checkReplaceable, replaceFile } from "../io/replace-file.ts";

/**
 * Nothing is made, nothing is emptied: what is in the file stays until there is something to write.
 * @throws OptionError naming the option, for a path that cannot be written.
 */
export function checkOutputFile(path: string | undefined, option: string): void {
  if (path === undefined || (path !== "" && isStream(path))) return;
  if (path === "") throw new OptionError(option, '""', "the path of a file");
  try {
    checkReplaceable(path);
  } catch (error) {
    if (!(error instanceof FileAccessError)) throw error;
    throw new OptionError(option, `"${path}"`, `a file that can be written; it ${error.reason}`);
  }
}

/** Whole or not at all; into a pipe or a device as it comes. */
export async function writeOutput(path: string, text: string): Promise<void> {
  if (isStream(path)) writeFileSync(path, text);
  else await replaceFile(path, (handle) => handle.writeFile(text));
}

/** Who names /dev/stdout or a named pipe wants the text there. */
function isStream(path: string): boolean {
  let found: Stats | undefined;
  try {
    found = statSync(path, { throwIfNoEntry: false });
  } catch {
    return false;
  }
  return found !== undefined && !found.isFile() && !found.isDirectory();
}
