/** What a user gets from npm: the files that its scripts and its code need, and no more. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const root = resolve(import.meta.dirname, "..");
const manifest: { scripts: Record<string, string>; bin: Record<string, string> } = JSON.parse(
  readFileSync(`${root}/package.json`, "utf8"),
);

function packedPaths(): readonly string[] {
  const pack = ["pack", "--dry-run", "--json", "--ignore-scripts"];
  const { stdout } = spawnSync("npm", pack, { cwd: root, encoding: "utf8", shell: true });
  const [packed]: { files: { path: string }[] }[] = JSON.parse(stdout);
  return (packed?.files ?? []).map(({ path }) => path);
}

describe("the package", () => {
  const paths = packedPaths();

  it("has the command, the API, the model and the licence", () => {
    const wanted = [manifest.bin["hearth"], "dist/index.js", "dist/index.d.ts", "LICENSE"];
    expect(paths).toEqual(expect.arrayContaining([...wanted, "models/default.gguf"]));
  });

  it("has every tool that npm runs where it is installed", () => {
    const scripts = ["preinstall", "install", "postinstall", "prepare"];
    const tools = scripts.flatMap((name) => manifest.scripts[name]?.match(/tools\/\S+/) ?? []);
    expect(tools).toContain("tools/build-native.mjs");
    expect(paths).toEqual(expect.arrayContaining(tools));
  });

  it("has types that need no other package's: every file that dist/index.d.ts reaches is read", () => {
    const seen = new Set<string>();
    const reach = (path: string): void => {
      if (seen.has(path)) return;
      seen.add(path);
      const text = readFileSync(path, "utf8");
      expect(text, path).not.toMatch(/\bGPU[A-Z][a-z]\w+|^(?:import|export) .*from "(?!\.|node:)/m);
      for (const [, name = ""] of text.matchAll(/from "(\.[^"]+)\.[jt]s"/g)) {
        reach(resolve(dirname(path), `${name}.d.ts`));
      }
    };
    reach(resolve(root, "dist/index.d.ts"));
    expect(seen.size).toBeGreaterThan(30);
  });

  it("has no tests", () => {
    expect(paths.length).toBeGreaterThan(100);
    expect(paths.filter((path) => /test/.test(path))).toEqual([]);
  });
});
