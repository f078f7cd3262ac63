import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { builtModule, packagePath, pathIn, requireUnbundled, unbundled } from "./package-root.ts";

describe("the package's folder", () => {
  it("has its models and tools", () => {
    requireUnbundled();
    for (const path of ["package.json", "models/default.gguf", "tools/build-native.mjs"]) {
      expect(existsSync(packagePath(path)), path).toBe(true);
    }
  });

  it.each([
    ["an installed package", "file:///app/node_modules/hearth-llm/dist/core/own-place.js"],
    ["a checkout on Windows", "file:///C:/hearth/src/core/own-place.ts"],
  ])("is found from %s", (_, url) => {
    expect(unbundled(url)).toBe(url);
  });

  it.each(["src/core/own-place.ts", "dist/core/own-place.js", "build/tools/src/core/own-place.js"])(
    "is the same from %s",
    (place) => {
      expect(pathIn(`file:///app/${place}`, "models/a.gguf")).toBe("/app/models/a.gguf");
    },
  );

  it("has no built modules beside its sources", () => {
    expect(builtModule("devices/thread/worker.js")).toBeUndefined();
  });

  it.each([
    ["a bundle", "file:///app/dist/server.mjs", /bundled into .*server\.mjs.*external:hearth-llm/],
    ["a bundle of the same name", "file:///app/core/own-place.js", /keep the package external/],
    ["a bundle of CommonJS", undefined, /keep the package external/],
  ])("cannot be found from %s, which is said", (_, url, message) => {
    expect(() => unbundled(url)).toThrow(message);
  });
});
