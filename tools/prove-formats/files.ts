/** Model files in one weight type, as native llama.cpp's own tools make them, and their copies in F32. */
import { spawnSync } from "node:child_process";
import { type WeightType, weightFormat, weightTypes } from "../../src/core/dtype.ts";

/** Starts the tool of this name: a command and its first arguments. */
export type NativeTool = (tool: string) => readonly string[];

export const provedTypes: readonly WeightType[] = weightTypes.filter(
  (type) => weightFormat(type).codes !== "float",
);

/** The importance of each input for a text: some types are quantised with it only. */
export function writeImportance(tool: NativeTool, model: string, text: string, out: string): void {
  run(tool("llama-imatrix"), ["-m", model, "-f", text, "-o", out, "-c", "256", "--chunks", "8"]);
}

/** Every matrix of the layers in this type; those of the vocabulary in Q8_0. */
export function writeQuantised(
  tool: NativeTool,
  model: string,
  { importance, type, out }: { importance: string; type: WeightType; out: string },
): void {
  const ends = ["--token-embedding-type", "q8_0", "--output-tensor-type", "q8_0"];
  const layers = ["--tensor-type", `blk=${type.toLowerCase()}`];
  run(tool("llama-quantize"), ["--imatrix", importance, ...ends, ...layers, model, out, "Q8_0"]);
}

/** The same values in F32, decoded by ggml: what is computed with them is rounded no further. */
export function writeDecoded(tool: NativeTool, model: string, out: string): void {
  run(tool("llama-quantize"), ["--allow-requantize", model, out, "F32"]);
}

/** @throws Error with the end of what the program said, if it fails. */
export function run([program = "", ...words]: readonly string[], args: readonly string[]): void {
  const { status, error, stderr } = spawnSync(program, [...words, ...args], { encoding: "utf8" });
  if (error !== undefined) throw error;
  if (status === 0) return;
  throw new Error(`${program} ${[...words, ...args].join(" ")} failed:\n${stderr.slice(-2000)}`);
}
