/**
 * Proves with native llama.cpp that hearth reads each weight type as it does: the bundled model, quantised by
 * llama-quantize; perplexity of a text on the CPU, with and without rounded inputs, and on a graphics card.
 *   npm run prove:formats -- --text FILE [--native COMMAND] [--only TYPE,TYPE] [--gpu none] [--write]
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { mayHaveAdapter } from "../src/backends/webgpu/card-presence.ts";
import { perplexity } from "../src/commands/perplexity.ts";
import type { WeightType } from "../src/core/dtype.ts";
import { packagePath } from "../src/core/package-root.ts";
import type { EngineOptions } from "../src/engine/options.ts";
import { exactCache, nativePerplexity } from "./native-llama.ts";
import {
  type NativeTool,
  provedTypes,
  writeDecoded,
  writeImportance,
  writeQuantised,
} from "./prove-formats/files.ts";
import { type GoldenFormat, madeContext, makeTyped } from "./prove-formats/made.ts";
import { type ProvedFormat, pageOf, rowOf, verdictOf } from "./prove-formats/page.ts";
import { provedText } from "./prove-models/text.ts";

const { values: flags } = parseArgs({
  options: {
    /** What starts llama.cpp's tools: a command, to which a tool's name is appended. Default: the tools themselves. */
    native: { type: "string", default: "" },
    /** English, at least 64 windows long. */
    text: { type: "string" },
    only: { type: "string" },
    /** "none": no card is asked. */
    gpu: { type: "string", default: "first" },
    /** Writes the page with the results, and what the suite compares made models with. */
    write: { type: "boolean", default: false },
  },
});

/** Tokens of a window: the model's context. */
const window = 256;
const chunks = 64;
/** A card in software takes minutes for all of them. */
const gpuChunks = 4;

const folder = mkdtempSync(join(tmpdir(), "prove-formats-"));
const tool: NativeTool = (name) => [...flags.native.split(" ").filter(Boolean), name];
const inFolder = (name: string): string => join(folder, name);

async function main(): Promise<number> {
  if (flags.text === undefined) throw new RangeError("--text FILE: a text in English is missing");
  const text = inFolder("text.txt");
  writeFileSync(text, beginning(flags.text));
  const wanted = flags.only?.split(",");
  const types = provedTypes.filter((type) => wanted === undefined || wanted.includes(type));
  if (types.length === 0) throw new RangeError(`--only ${flags.only}: no such type`);
  const model = packagePath("models/default.gguf");
  const importance = inFolder("importance.gguf");
  writeImportance(tool, model, text, importance);
  const proved: ProvedFormat[] = [];
  for (const type of types) {
    const path = inFolder("model.gguf");
    writeQuantised(tool, model, { importance, type, out: path });
    const format = await proveFile(path, type, text);
    proved.push(format);
    console.log([rowOf(format), ...verdictOf(format)].join("\n  "));
  }
  if (flags.write) {
    const windows = `${chunks} windows of ${window} tokens, on the GPU of the first ${gpuChunks}`;
    writeFileSync(packagePath("docs/measurements/formats.md"), pageOf(proved, windows));
    writeFileSync(packagePath("test/golden/made-formats.json"), await goldenOf(types));
  }
  const wrong = proved.filter((format) => verdictOf(format).length > 0);
  console.log(`${proved.length - wrong.length} of ${proved.length} types as native llama.cpp`);
  return wrong.length === 0 ? 0 : 1;
}

/** As much as the windows take, and no half of a character. */
function beginning(path: string): string {
  const whole = readFileSync(path, "utf8");
  return whole.slice(0, 8 * window * chunks);
}

async function proveFile(path: string, type: WeightType, text: string): Promise<ProvedFormat> {
  const decoded = inFolder("decoded.gguf");
  writeDecoded(tool, path, decoded);
  const native = (model: string, count: number): number => nativeOf(model, { text, chunks: count });
  const hearth = async (options: EngineOptions, count: number): Promise<number> => {
    const fixed = { contextLength: window, cacheType: "f32", sparsity: "dense" } as const;
    const size = { window, maxTokens: window * count };
    return (await perplexity(path, readFileSync(text), { ...fixed, ...size, ...options }))
      .perplexity;
  };
  const hasCard = flags.gpu !== "none" && mayHaveAdapter();
  return {
    type,
    native: {
      file: native(path, chunks),
      decoded: native(decoded, chunks),
      decodedShort: native(decoded, gpuChunks),
    },
    found: {
      cpu: await hearth({ device: "cpu" }, chunks),
      exact: await hearth({ device: "cpu", exact: true }, chunks),
      ...(hasCard && { gpu: await hearth({ device: "gpu", gpu: 0 }, gpuChunks) }),
    },
  };
}

function nativeOf(model: string, of: { readonly text: string; readonly chunks: number }): number {
  const command = tool("llama-perplexity");
  return nativePerplexity({ command, model, contextLength: window, flags: exactCache, ...of });
}

/** What native llama.cpp makes of the values of made models. */
async function goldenOf(types: readonly WeightType[]): Promise<string> {
  const text = inFolder("proved.txt");
  writeFileSync(text, provedText);
  const golden: GoldenFormat[] = [];
  for (const type of types) {
    const [path, decoded] = [inFolder("made.gguf"), inFolder("decoded.gguf")];
    await makeTyped(path, type);
    writeDecoded(tool, path, decoded);
    const size = { text, contextLength: madeContext, chunks: 1 };
    const command = tool("llama-perplexity");
    golden.push({
      type,
      perplexity: nativePerplexity({ command, model: decoded, flags: exactCache, ...size }),
    });
  }
  return `${JSON.stringify(golden, undefined, 2)}\n`;
}

try {
  process.exitCode = await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
