/**
 * Compares models that `hearth quantize` writes with those of llama-quantize: native llama.cpp's perplexity
 * of both files, for each type that both write, with an importance matrix and without.
 *   npm run prove:quantize -- --text FILE [--native COMMAND] [--model FILE …] [--only TYPE,TYPE] [--write]
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { quantizeModel } from "../src/commands/quantize.ts";
import { packagePath } from "../src/core/package-root.ts";
import {
  type QuantisedType,
  quantisedTypes,
  wantsImportance,
} from "../src/gguf/quantize-recipe.ts";
import { exactCache, nativePerplexity } from "./native-llama.ts";
import { type NativeTool, run, writeImportance } from "./prove-formats/files.ts";
import { type ProvedModel, type ProvedQuantisation, pageOf, rowOf } from "./prove-quantize/page.ts";

const { values: flags } = parseArgs({
  options: {
    /** What starts llama.cpp's tools: a command, to which a tool's name is appended. Default: the tools themselves. */
    native: { type: "string", default: "" },
    /** English; its beginning is read, and the importance matrix is made of it. */
    text: { type: "string" },
    /** Besides the bundled one. */
    model: { type: "string", multiple: true, default: [] },
    only: { type: "string" },
    /** Writes the page with the results. */
    write: { type: "boolean", default: false },
  },
});

/** Tokens of a window: the bundled model's context. */
const window = 256;
const chunks = 16;

/** llama-quantize writes MXFP4 for experts only and NVFP4 not at all; floats have no error to compare. */
const notCompared: readonly QuantisedType[] = ["F32", "F16", "BF16", "MXFP4", "NVFP4"];
/** The same as Q5_K_M and so on. */
const otherNames: readonly QuantisedType[] = ["Q5_K", "Q4_K", "Q3_K"];

const folder = mkdtempSync(join(tmpdir(), "prove-quantize-"));
const inFolder = (name: string): string => join(folder, name);
const tool: NativeTool = (name) => [...flags.native.split(" ").filter(Boolean), name];

async function main(): Promise<void> {
  if (flags.text === undefined) throw new RangeError("--text FILE: a text in English is missing");
  const wanted = flags.only?.toUpperCase().split(",");
  const types = quantisedTypes
    .filter((type) => !(notCompared.includes(type) || otherNames.includes(type)))
    .filter((type) => wanted === undefined || wanted.includes(type));
  if (types.length === 0) throw new RangeError(`--only ${flags.only}: no such type`);
  const text = inFolder("text.txt");
  writeFileSync(text, readFileSync(flags.text, "utf8").slice(0, 8 * window * chunks));
  const models: ProvedModel[] = [];
  for (const model of [packagePath("models/default.gguf"), ...flags.model]) {
    models.push(await proveModel(model, text, types));
  }
  if (flags.write) {
    const windows = `${chunks} windows of ${window} tokens`;
    writeFileSync(packagePath("docs/measurements/quantize.md"), pageOf(models, windows));
  }
}

async function proveModel(
  model: string,
  text: string,
  types: readonly QuantisedType[],
): Promise<ProvedModel> {
  const importance = inFolder("importance.gguf");
  writeImportance(tool, model, text, importance);
  const original = perplexityOf(model, text);
  console.log(`${basename(model)}: ${original}`);
  const rows: ProvedQuantisation[] = [];
  for (const type of types) {
    for (const imatrix of wantsImportance(type) ? [importance] : [undefined, importance]) {
      const row = {
        type,
        isWeighted: imatrix !== undefined,
        ...(await proveType(model, { text, type, imatrix })),
      };
      rows.push(row);
      console.log(rowOf(row, original));
    }
  }
  return { name: basename(model), original, rows };
}

async function proveType(
  model: string,
  { text, type, imatrix }: { text: string; type: QuantisedType; imatrix: string | undefined },
): Promise<Pick<ProvedQuantisation, "hearth" | "native">> {
  const [ours, theirs] = [inFolder("hearth.gguf"), inFolder("native.gguf")];
  await quantizeModel({
    input: model,
    output: ours,
    type,
    ...(imatrix !== undefined && { imatrix }),
  });
  const weighting = imatrix === undefined ? [] : ["--imatrix", imatrix];
  run(tool("llama-quantize"), ["--allow-requantize", ...weighting, model, theirs, type]);
  return { hearth: perplexityOf(ours, text), native: perplexityOf(theirs, text) };
}

function perplexityOf(model: string, text: string): number {
  const command = tool("llama-perplexity");
  return nativePerplexity({
    command,
    model,
    text,
    contextLength: window,
    chunks,
    flags: exactCache,
  });
}

try {
  await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
