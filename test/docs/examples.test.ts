/** Every TypeScript example of README.md, docs/api.md and docs/tools.md compiles against the built package and runs on the bundled model. */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

/** Each example runs in a process of its own, which ends after 250 s at most. */
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const project = resolve(import.meta.dirname, "../..");
/** Inside the project, where the package's own name resolves; build/ is not kept in git. */
const sources = join(project, "build", "docs-examples");

interface Example {
  readonly name: string;
  readonly code: string;
}

function examplesOf(page: string): readonly Example[] {
  const blocks = [...readFileSync(join(project, page), "utf8").matchAll(/```ts\n([\s\S]*?)```/g)];
  return blocks.map(([, code = ""], i) => {
    const name = `${page.replaceAll(/\W/g, "-")}-${i + 1}`;
    return { name, code };
  });
}

const examples = ["README.md", "docs/api.md", "docs/tools.md"].flatMap(examplesOf);
let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "hearth-docs-"));
  copyFileSync(join(project, "models/default.gguf"), join(folder, "model.gguf"));
  // What an example pulls is in the cache: no example asks the hub.
  const snapshot = join(folder, "hub/models--hearth-llm--tiny-GGUF/snapshots", "a".repeat(40));
  mkdirSync(snapshot, { recursive: true });
  copyFileSync(join(project, "models/default.gguf"), join(snapshot, "tiny-F16.gguf"));
  mkdirSync(join(folder, "sets/piqa"), { recursive: true });
  const goal = '{"goal":"Sleep","sol1":"Lie down.","sol2":"Stand up."}';
  writeFileSync(join(folder, "sets/piqa/valid.jsonl"), `${goal}\n${goal}\n`);
  writeFileSync(join(folder, "sets/piqa/valid-labels.lst"), "0\n0\n");
  rmSync(sources, { recursive: true, force: true });
  mkdirSync(sources, { recursive: true });
  for (const { name, code } of examples) writeFileSync(join(sources, `${name}.ts`), code);
  const compilerOptions = {
    rootDir: ".",
    outDir: "out",
    declaration: false,
    isolatedDeclarations: false,
    // An example may name what the reader will want.
    noUnusedLocals: false,
  };
  const config = { extends: "../../tsconfig.json", compilerOptions, include: ["*.ts"] };
  writeFileSync(join(sources, "tsconfig.json"), JSON.stringify(config));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
  rmSync(sources, { recursive: true });
});

describe("the examples of the documents", () => {
  it("are there, and compile", () => {
    expect(examples.length).toBeGreaterThanOrEqual(8);
    const tsc = join(project, "node_modules/typescript/bin/tsc");
    const { stdout, status } = spawnSync(process.execPath, [tsc, "-p", sources], {
      encoding: "utf8",
    });
    expect(stdout).toBe("");
    expect(status).toBe(0);
  });

  it.each(examples.map(({ name }) => name))("run: %s", (name) => {
    const script = join(sources, "out", `${name}.js`);
    const { status, stdout, stderr } = spawnSync(process.execPath, [script], {
      cwd: folder,
      encoding: "utf8",
      timeout: 250_000,
      env: { ...process.env, HF_HOME: folder, HF_HUB_OFFLINE: "1" },
    });
    expect(stderr).not.toMatch(/Error/);
    expect(status).toBe(0);
    expect(stdout.trim()).not.toBe("");
  });
});
