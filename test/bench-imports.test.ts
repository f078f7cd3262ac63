/** Programs of bench/ are run by hand: at least every name that they import from the built program must be there. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";

const project = resolve(import.meta.dirname, "..");
const folder = join(project, "bench");
const importPattern = /import\s*\{([^}]*)\}\s*from\s*["']([^"']*\/dist\/[^"']+)["']/g;

const imports = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".mjs"))
  .flatMap((file) => {
    const path = join(folder, file);
    return [...readFileSync(path, "utf8").matchAll(importPattern)].map(
      ([, names = "", module = ""]) => ({
        file: relative(project, path),
        module: resolve(dirname(path), module),
        names: names
          .split(",")
          .map((name) => name.trim().split(/\s+as\s+/)[0] ?? "")
          .filter((name) => name !== ""),
      }),
    );
  });

describe("programs of bench", () => {
  it("import from the built program", () => {
    expect(imports.length).toBeGreaterThan(10);
  });

  it.each(imports)("$file finds $names", async ({ module, names }) => {
    expect(existsSync(module), module).toBe(true);
    const exported: object = await import(pathToFileURL(module).href);
    expect(names.filter((name) => !(name in exported))).toEqual([]);
  });
});
