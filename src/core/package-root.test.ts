import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { packagePath, pathIn, requireUnbundled, unbundled } from "./package-root.ts";

describe("the package's folder", () => {
  it("has its models and tools", () => {
    requireUnbundled();
    for (const path of ["package.json", "models/default.gguf", "tools/build-native.mjs"]) {
      expect(existsSync(packagePath(path)), path).toBe(true);
    }
  });

  it.each([
    ["an installed package", "file:///app/node_modules/hearth-llm/dist/core/package-root.js"],
    ["a checkout on Windows", "file:///C:/hearth/src/core/package-root.ts"],
  ])("is found from %s", (_, url) => {
    expect(unbundled(url)).toBe(url);
  });

  it.each([
    "src/core/package-root.ts",
    "dist/core/package-root.js",
    "build/tools/src/core/package-root.js",
  ])("is the same from %s", (place) => {
    expect(pathIn(`file:///app/${place}`, "models/a.gguf")).toBe("/app/models/a.gguf");
  });

  it.each([
    ["a bundle", "file:///app/dist/server.mjs", /bundled into .*server\.mjs.*external:hearth-llm/],
    ["a bundle of the same name", "file:///app/core/package-root.js", /keep the package external/],
    ["a bundle of CommonJS", undefined, /keep the package external/],
  ])("cannot be found from %s, which is said", (_, url, message) => {
    expect(() => unbundled(url)).toThrow(message);
  });
});
