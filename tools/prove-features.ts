/**
 * Proves with native llama.cpp that it opens each synthetic model, and that each feature of one is missed when it is
 * switched off: the perplexity then changes by more than 1 %. So a program that leaves a feature out is found out.
 *   npm run prove:features -- --native "llama-perplexity" --text FILE [--only NAME]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { makeModel } from "./make-model/make-model.ts";
import type { Variant } from "./make-model/variant.ts";
import { variantOptions, variants } from "./make-model/variants.ts";
import { nativePerplexity } from "./native-llama.ts";

const chunks = 8;
const contextLength = 256;
const minChange = 0.01;

const { values: flags } = parseArgs({
  options: {
    /** A command that starts llama-perplexity. */
    native: { type: "string", default: "llama-perplexity" },
    text: { type: "string" },
    only: { type: "string" },
    /** In place of the seed of the list: to look for one under which every feature shows. */
    seed: { type: "string" },
  },
});

async function main(text: string): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "prove-features-"));
  const measure = async (variant: Variant, changes: string): Promise<number> => {
    const path = join(folder, "model.gguf");
    const seed = flags.seed === undefined ? "" : ` --seed ${flags.seed}`;
    await makeModel(variantOptions(variant, path, `${seed} ${changes}`));
    return perplexity(path, text);
  };
  let failures = 0;
  try {
    const chosen = variants.filter(({ name }) => flags.only === undefined || name === flags.only);
    if (chosen.length === 0) throw new RangeError(`--only ${flags.only}: no such variant`);
    for (const variant of chosen) {
      if (variant.isUnknownToNative) {
        console.log(`${variant.name}: skipped, native llama.cpp does not know it`);
        continue;
      }
      const whole = await measure(variant, "");
      console.log(`${variant.name}: perplexity ${whole.toFixed(2)}`);
      for (const [feature, changes] of Object.entries(variant.without)) {
        const change = (await measure(variant, changes)) / whole - 1;
        const isMissed = Math.abs(change) > minChange;
        if (!isMissed) failures++;
        const verdict = isMissed ? "" : "  NOT MISSED";
        console.log(`  without ${feature}: ${(100 * change).toPrecision(3)} %${verdict}`);
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(failures === 0 ? "every feature counts" : `${failures} are not missed`);
  return failures === 0 ? 0 : 1;
}

/** Of the whole text. */
function perplexity(model: string, text: string): number {
  return nativePerplexity({ command: flags.native.split(" "), model, text, contextLength, chunks });
}

if (flags.text === undefined) throw new Error("--text: a file of some 3 000 words is needed");
process.exitCode = await main(flags.text);
