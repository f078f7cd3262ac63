/** The published package's own modules, as tools/packages/bundle.ts lays them out: run without the libraries of the checkout. */
import { spawnSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve, sep } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundleModules } from "../../tools/packages/bundle.ts";
import { inlinedPackages, licencesText } from "../../tools/packages/licences.ts";

const root = resolve(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "hearth-bundle-"));
const installed = join(folder, "node_modules/hearth-llm");
afterAll(() => rmSync(folder, { recursive: true }));

beforeAll(async () => {
  mkdirSync(installed, { recursive: true });
  // A command is run from where its file lies in truth.
  cpSync(join(root, "bin"), join(installed, "bin"), { recursive: true });
  for (const name of ["package.json", "models", "build"]) {
    symlinkSync(join(root, name), join(installed, name));
  }
  symlinkSync(join(root, "node_modules/highs"), join(folder, "node_modules/highs"));
  await bundleModules(join(root, "dist"), join(installed, "dist"));
});

function node(...list: readonly string[]): { readonly stdout: string; readonly stderr: string } {
  const { stdout, stderr } = spawnSync(process.execPath, list, { cwd: folder, encoding: "utf8" });
  return { stdout, stderr };
}

const command = join(installed, "bin/hearth.cjs");
const model = join(root, "models/default.gguf");

describe("the published package's modules", () => {
  it("are few files, where entries and threads keep their names", () => {
    const files = readdirSync(join(installed, "dist"), { recursive: true, encoding: "utf8" });
    const modules = files.filter((path) => path.endsWith(".js")).map((path) => path.split(sep));
    expect(modules.map((path) => path.join("/"))).toEqual(
      expect.arrayContaining([
        ...["index.js", "server/server.js", "cli/start.js", "core/own-place.js"],
        ...["devices/thread/worker.js", "commands/bench/against-worker.js"],
      ]),
    );
    expect(modules.length).toBeLessThan(60);
    // The page is built by itself, and lies beside.
    expect(files).not.toContain("page");
  });

  it("ask a browser for no module of Node's", () => {
    const seen = new Set<string>();
    const reach = (path: string): void => {
      if (seen.has(path)) return;
      seen.add(path);
      for (const [, name = ""] of readFileSync(path, "utf8").matchAll(/^import .*?"([^"]+)"/gm)) {
        expect(name, path).toMatch(/^\./);
        reach(resolve(path, "..", name));
      }
    };
    for (const name of ["gguf", "tokenizer"]) reach(join(installed, `dist/browser/${name}.js`));
    expect(seen.size).toBeGreaterThan(6);
  });

  it("run the command as a checkout does", () => {
    const list = ["run", "--seed", "1", "-n", "8", "--quiet", "Once upon a time"];
    const here = node(join(root, "bin/hearth.cjs"), ...list);
    expect(node(command, ...list)).toEqual(here);
    expect(here.stdout.trim().length).toBeGreaterThan(8);
  });

  it("start threads, and find libraries that stay packages", () => {
    const card = ["--hardware", "rtx-4090", "--vram-budget", "8MiB"];
    const list = ["plan", model, ...card, "--objective", "paper", "--solver", "highs"];
    const here = node(join(root, "bin/hearth.cjs"), ...list);
    const untimed = (text: string): string => text.replace(/ in \d+ ms$/m, "");
    expect(untimed(node(command, ...list).stdout)).toBe(untimed(here.stdout));
    expect(here.stdout).toMatch(/proven optimal in \d+ ms$/m);
  });

  it("give programs one class of each kind, by import and require", () => {
    writeFileSync(join(folder, "use.mjs"), program);
    const { stdout, stderr } = node("use.mjs");
    expect(stderr).toBe("");
    expect(stdout).toBe("one error\none engine\n4 tokens\nlistening and closed\n");
  });
});

const program = `
import { createRequire } from "node:module";
import { Engine, FileFormatError } from "hearth-llm";
import { readGguf } from "hearth-llm/gguf";
import { createServer } from "hearth-llm/server";
const refusal = await readGguf(new Uint8Array(100)).catch((error) => error);
console.log(refusal instanceof FileFormatError ? "one error" : refusal);
const require = createRequire(import.meta.url);
console.log(require("hearth-llm").Engine === Engine ? "one engine" : "two engines");
const engine = await Engine.open(${JSON.stringify(model)}, { contextLength: 64 });
const answer = engine.generate("Once", { maxTokens: 4, ignoreEos: true });
for await (const { text } of answer) text.trim();
console.log((await answer.result).tokens.length, "tokens");
engine.close();
const server = await createServer({ model: ${JSON.stringify(model)}, port: 0 });
await server.listen();
await server.ready;
await server.close();
console.log("listening and closed");
`;

describe("the licences of the libraries inside", () => {
  it("are there in full, of each library once", () => {
    const text = readFileSync(join(installed, "dist/LICENSES.txt"), "utf8");
    for (const name of ["fastify", "commander", "zod", "undici", "pino"]) {
      expect(
        text.match(new RegExp(`^${name} \\d\\S+: MIT\\n\\n.*(?:MIT|Copyright)`, "gm")),
        name,
      ).toHaveLength(1);
    }
    expect(text).toMatch(/^prom-client \S+: Apache-2\.0\n\nApache License/m);
  });

  it("are refused where no one has judged them", () => {
    const strange = join(folder, "node_modules/@some/strange");
    mkdirSync(strange, { recursive: true });
    const manifest = { name: "@some/strange", version: "1.0.0", license: "SSPL-1.0" };
    writeFileSync(join(strange, "package.json"), JSON.stringify(manifest));
    const found = inlinedPackages([
      join(strange, "lib/a.js"),
      join(strange, "lib/b.js"),
      "/src/c.js",
    ]);
    expect(found).toHaveLength(1);
    expect(() => licencesText(found)).toThrow(/strange has the licence "SSPL-1\.0"/);
  });
});
