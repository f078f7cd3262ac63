/** Text from a file or a pipe, byte for byte. */
import { readFileSync, statSync } from "node:fs";
import { OptionError } from "../index.ts";

/** @throws OptionError naming the option for a folder; Node's error for a file that cannot be read. */
export function readInput(path: string, option: string): Uint8Array {
  if (statSync(path).isDirectory()) throw new OptionError(option, path, "a file, not a folder");
  return readFileSync(path);
}

export function readStdin(): Uint8Array {
  return readFileSync(0);
}
