/** Who converts blocks of weights: the addon's threads, or plain TypeScript where there is no addon. */
import { defined } from "../../core/defined.ts";
import { type ConvertBlocks, convertPlainly } from "../../quant/convert-blocks.ts";
import { loadAddon } from "../addon.ts";
import { createCpuBackend } from "./cpu-backend.ts";

interface Converter extends Disposable {
  readonly convert: ConvertBlocks;
  /** What the user should know, one sentence each. */
  readonly notices: readonly string[];
}

/** `threads` undefined: one for each physical core. The blocks are the same for any number. */
export function openConverter(threads: number | undefined): Converter {
  const native = loadAddon();
  if (native.kind === "loaded") return createCpuBackend(defined({ threads }));
  const notice = `converting in plain TypeScript, which is slow: ${native.reason}`;
  return { convert: convertPlainly, notices: [notice], [Symbol.dispose]: () => {} };
}
