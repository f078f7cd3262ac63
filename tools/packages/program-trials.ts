/** Programs that use an installed hearth-llm, as other people's TypeScript and bundlers are set up. Each problem is a sentence. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import vm from "node:vm";
import { rolldown } from "rolldown";
import { packagePath } from "../../src/core/package-root.ts";
import type { BareProject } from "./bare-project.ts";

const typed = `import { Engine, type EngineOptions } from "hearth-llm";
import { readGguf } from "hearth-llm/gguf";
import { createServer, type HearthServer, type ServerOptions } from "hearth-llm/server";
import { createTokenizer, type Tokenizer } from "hearth-llm/tokenizer";
const options: EngineOptions = { contextLength: 64 };
export const engine: Promise<Engine> = Engine.open("model.gguf", options);
const settings: ServerOptions = { model: "model.gguf", port: 0 };
export const server: Promise<HearthServer> = createServer(settings);
export const tokenizer: Promise<Tokenizer> = readGguf(new Uint8Array(9)).then(
  ({ metadata }) => createTokenizer(metadata),
);
// @ts-expect-error: there is no such option
Engine.open("model.gguf", { contextLenght: 64 });
`;

const required = `import hearth = require("hearth-llm");
import server = require("hearth-llm/server");
const options: hearth.EngineOptions = { contextLength: 64 };
export const engine: Promise<hearth.Engine> = hearth.Engine.open("model.gguf", options);
export const listening: Promise<server.HearthServer> = server.createServer({ model: "m.gguf" });
`;

/** Of a program: its file, its text, and what differs in its tsconfig.json. */
const programs: readonly (readonly [string, string, object])[] = [
  ["import.mts", typed, { module: "node16" }],
  ["commonjs.cts", typed, { module: "node16" }],
  ["require.cts", required, { module: "node16" }],
  ["next.mts", typed, { module: "nodenext" }],
  ["bundler.ts", typed, { module: "esnext", moduleResolution: "bundler" }],
];

export async function typeProblems(project: BareProject): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const [file, text, options] of programs) {
    const folder = join(project.folder, file.replace(".", "-"));
    mkdirSync(folder);
    writeFileSync(join(folder, file), text);
    const compilerOptions = {
      ...{ strict: true, noEmit: true, skipLibCheck: false, types: [], target: "es2022" },
      ...options,
    };
    const config = JSON.stringify({ compilerOptions, files: [file] });
    writeFileSync(join(folder, "tsconfig.json"), config);
    const tsc = packagePath("node_modules/typescript/bin/tsc");
    const said = await project.node(tsc, "-p", folder).catch(String);
    if (said !== "") problems.push(`the types are wrong for ${file}: ${said}`);
  }
  return problems;
}

/** What a browser has of what the two entries use. */
const browserGlobals = { TextEncoder, TextDecoder, Uint8Array, Blob, performance, setTimeout };

const inBrowser = `import { readGguf } from "hearth-llm/gguf";
import { loadTokenizer } from "hearth-llm/tokenizer";
export async function roundTrip(bytes, text) {
  const { metadata, tensors } = await readGguf(new Blob([bytes]));
  const tokenizer = await loadTokenizer(metadata);
  const ids = tokenizer.encode(text);
  return tensors.length + " tensors, " + ids.length + " tokens: " + tokenizer.decode(ids);
}
`;

/** The tokenizer and the reader of headers, bundled and run where there is no module of Node. */
export async function browserProblems(project: BareProject): Promise<readonly string[]> {
  const entry = join(project.folder, "browser.mjs");
  writeFileSync(entry, inBrowser);
  const built = await rolldown({ input: entry, platform: "browser", cwd: project.folder });
  const { output } = await built.generate({ format: "iife", name: "hearth" });
  await built.close();
  const [bundle, ...others] = output;
  const foreign = [...bundle.imports, ...bundle.dynamicImports];
  if (others.length > 0 || foreign.length > 0) {
    return [`the browser's bundle imports ${[...foreign, ...others.map((one) => one.fileName)]}`];
  }
  const context = vm.createContext({ ...browserGlobals });
  vm.runInContext(bundle.code, context);
  const text = "Once upon a time, in 1834, 日本語";
  const bytes = readFileSync(packagePath("models/default.gguf"));
  const said: unknown = await vm.runInContext("hearth.roundTrip", context)(bytes, text);
  const isRight = typeof said === "string" && /^\d+ tensors, \d\d tokens: /.test(said);
  return isRight && said.endsWith(text) ? [] : [`the browser's bundle says ${said}`];
}
