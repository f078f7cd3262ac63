/** docs/FEATURES.md says what the code's own lists say. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { weightTypes } from "../../src/core/dtype.ts";
import { architectureNames } from "../../src/model/registry.ts";
import { preTokenizerNames } from "../../src/text/pre-tokenizers.ts";
import { updateFeatures, updateReadme } from "../../tools/features/render.ts";

const root = resolve(import.meta.dirname, "../..");
const read = (path: string): string => readFileSync(resolve(root, path), "utf8");

describe("docs/FEATURES.md", () => {
  const page = read("docs/FEATURES.md");

  it("is what the lists give: if not, run npm run features", () => {
    expect(updateFeatures(page)).toBe(page);
  });

  it("is made anew where a table was changed", () => {
    const changed = page.replace("| `qwen3` |", "| `qwen9` |");
    expect(changed).not.toBe(page);
    expect(updateFeatures(changed)).toBe(page);
  });

  it("is refused without the markers of a table", () => {
    expect(() => updateFeatures(page.replace("<!-- /sampling -->", ""))).toThrow(
      "docs/FEATURES.md: expected the markers <!-- sampling -->",
    );
  });

  it("knows the types of the cache on both backends", () => {
    expect(page).toContain("| `q8_0` | supported | supported |");
    expect(page).toContain("| `f16` | supported | supported |");
  });
});

describe("README.md", () => {
  const readme = read("README.md");

  it("has the table of systems that the lists give: if not, run npm run features", () => {
    expect(updateReadme(readme)).toBe(readme);
    const changed = readme.replace("| `win32-x64` |", "| `win16-x64` |");
    expect(changed).not.toBe(readme);
    expect(updateReadme(changed)).toBe(readme);
  });

  it("has at most 150 lines", () => {
    expect(readme.trimEnd().split("\n").length).toBeLessThanOrEqual(150);
  });

  it("names every architecture and weight type, and counts the pre-tokenizers", () => {
    const names = [...architectureNames, ...weightTypes];
    expect(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(readme))).toEqual([]);
    expect(readme).toContain(`${preTokenizerNames().length} named pre-tokenizers`);
  });
});
