/** The package as programs see it whose TypeScript is set up in other ways than ours. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = resolve(import.meta.dirname, "..");
const dependencies = [
  "@huggingface/hub",
  "@huggingface/jinja",
  "cli-progress",
  "commander",
  "highs",
  "undici",
];

let folder = "";
/** A project with the package in its node_modules, as npm would install it: without the addon. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "hearth-package-"));
  const installed = join(folder, "node_modules/hearth-llm");
  mkdirSync(join(folder, "node_modules/@huggingface"), { recursive: true });
  mkdirSync(join(folder, "node_modules/@types"), { recursive: true });
  const { status } = spawnSync(process.execPath, [join(root, "tools/commonjs-types.mjs")]);
  expect(status).toBe(0);
  for (const part of ["dist", "models", "package.json", "tools", "bin"]) {
    cpSync(join(root, part), join(installed, part), { recursive: true });
  }
  for (const name of dependencies) {
    symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name));
  }
  for (const name of ["@types/node", "undici-types"]) {
    symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name));
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

const use = `
async function main(): Promise<void> {
  const options: EngineOptions = { contextLength: 256, device: "cpu" };
  const engine = await Engine.open("model.gguf", options);
  const answer = engine.generate("x", { maxTokens: 4, logitBias: { 3: -1 } });
  for await (const { text } of answer) text.toUpperCase();
  const result: GenerationResult = await answer.result;
  result.timings.decodeTokensPerSecond.toFixed(1);
  engine.notices.concat(engine.details).join();
  engine.close();
  const serverOptions: ServerOptions = { model: "model.gguf", port: 0, engine: options };
  await using server = await createServer(serverOptions);
  (await server.listen()).toUpperCase();
  // @ts-expect-error: there is no such option
  engine.generate("x", { maxToken: 4 });
}
void main;
`;
const imports = `import { Engine, type EngineOptions, type GenerationResult } from "hearth-llm";
import { createServer, type ServerOptions } from "hearth-llm/server";`;

const strict = { strict: true, noEmit: true, skipLibCheck: false, target: "es2022" };

describe("the types", () => {
  it.each([
    ["a CommonJS file, module node16", "a.cts", { module: "node16", types: ["node"] }],
    ["an ES module, module node16", "b.mts", { module: "node16", types: ["node"] }],
    [
      "module nodenext and no @types/node",
      "c.mts",
      { module: "nodenext", types: [], lib: ["es2022"] },
    ],
    ["CommonJS and no @types/node", "d.cts", { module: "node16", types: [], lib: ["es2022"] }],
    [
      "a browser's types and a bundler",
      "e.ts",
      { module: "esnext", moduleResolution: "bundler", types: [], lib: ["es2022", "dom"] },
    ],
  ])("are whole for %s", (_, name, options) => {
    const project = join(folder, name.replace(".", "-"));
    mkdirSync(project);
    writeFileSync(join(project, name), `${imports}\n${use}`);
    const compilerOptions = { ...strict, ...options };
    writeFileSync(
      join(project, "tsconfig.json"),
      JSON.stringify({ compilerOptions, files: [name] }),
    );
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    const { status, stdout } = spawnSync(process.execPath, [tsc, "-p", project], {
      encoding: "utf8",
    });
    expect(stdout).toBe("");
    expect(status).toBe(0);
  });

  it("are told the truth: require gives what import gives", () => {
    const script = `
      const required = require("hearth-llm");
      import("hearth-llm").then((imported) => {
        console.log(typeof required.Engine.open, required.Engine === imported.Engine);
      });`;
    writeFileSync(join(folder, "require.cjs"), script);
    const { stdout, stderr } = spawnSync(process.execPath, ["require.cjs"], {
      cwd: folder,
      encoding: "utf8",
    });
    expect([stdout, stderr]).toEqual(["function true\n", ""]);
  });
});

describe("without the addon", () => {
  it("the notice names the command that builds it", () => {
    const model = join(root, "models/default.gguf");
    const program = `
      import { Engine } from "hearth-llm";
      const engine = await Engine.open(${JSON.stringify(model)}, { contextLength: 16 });
      console.log(engine.notices.join("\\n"));
      engine.close();`;
    writeFileSync(join(folder, "slow.mjs"), program);
    const { stdout } = spawnSync(process.execPath, ["slow.mjs"], { cwd: folder, encoding: "utf8" });
    expect(stdout).toMatch(
      /^running on the slow reference backend: the native addon is not built.*"hearth build".*npx hearth build/,
    );
    expect(stdout).not.toContain(folder);
  });
});

describe("without the GPU's package", () => {
  it("the error names the package to install", () => {
    const model = JSON.stringify(join(root, "models/default.gguf"));
    const open = `Engine.open(${model}, { device: "gpu" })`;
    const program = `import { Engine } from "hearth-llm";
      await ${open}.catch(({ name, message }) => console.log(name, message));`;
    writeFileSync(join(folder, "gpu.mjs"), program);
    const { stdout } = spawnSync(process.execPath, ["gpu.mjs"], { cwd: folder, encoding: "utf8" });
    expect(stdout).toMatch(
      /^DeviceError .*package @hearth-llm\/gpu.*"npm install @hearth-llm\/gpu"/,
    );
  });

  it("it is loaded from there once it is installed, before webgpu", () => {
    const gpu = join(folder, "node_modules/@hearth-llm/gpu");
    mkdirSync(gpu, { recursive: true });
    writeFileSync(join(gpu, "package.json"), '{ "type": "module", "exports": "./index.js" }');
    writeFileSync(join(gpu, "index.js"), 'throw new Error("no such driver");');
    const { stdout } = spawnSync(process.execPath, ["gpu.mjs"], { cwd: folder, encoding: "utf8" });
    rmSync(gpu, { recursive: true });
    expect(stdout).toMatch(/^DeviceError .*@hearth-llm\/gpu did not load \(no such driver\)/);
  });
});

interface Bundler {
  rolldown(options: object): Promise<{ write(options: object): Promise<unknown> }>;
}

/** Vitest brings one. */
async function findBundler(): Promise<Bundler> {
  const from = (path: string, name: string): string => createRequire(path).resolve(name);
  const vite = from(from(import.meta.filename, "vitest/package.json"), "vite/package.json");
  return import(pathToFileURL(from(vite, "rolldown")).href);
}

describe("a bundled program", () => {
  it.each([
    ["es", "mjs"],
    ["cjs", "cjs"],
  ])("says that the package must stay external: %s", async (format, ending) => {
    const { rolldown } = await findBundler();
    const main = join(folder, `main-${format}.mjs`);
    const model = JSON.stringify(join(root, "models/default.gguf"));
    const open = `Engine.open(${model}).catch((error) => console.log(error.name, error.message))`;
    writeFileSync(main, `import { Engine } from "hearth-llm";\n${open};`);
    const bundle = join(folder, `out/${format}.${ending}`);
    const built = await rolldown({
      input: main,
      platform: "node",
      external: ["webgpu"],
      logLevel: "silent",
    });
    await built.write({ file: bundle, format, codeSplitting: false });
    const { stdout, stderr } = spawnSync(process.execPath, [bundle], { encoding: "utf8" });
    expect(stderr).toBe("");
    expect(stdout).toMatch(
      /^HearthError hearth-llm was bundled into .*external:hearth-llm.*node_modules\n$/,
    );
  });
});
