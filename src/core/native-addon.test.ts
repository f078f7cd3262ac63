/** Which addon is found, in folders that look like an installed hearth. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadNativeOf, type NativeSystem } from "./native-addon.ts";

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "hearth-native-"));
  writeManifest({ "linux-x64-gnu": "1.2.3", "linux-x64-musl": "1.2.3", "win32-x64": "1.2.3" });
});
afterEach(() => rmSync(root, { recursive: true }));

function writeManifest(platforms: Readonly<Record<string, string>>): void {
  const optionalDependencies = Object.fromEntries(
    Object.entries(platforms).map(([name, version]) => [`@hearth-llm/${name}`, version]),
  );
  writeFileSync(join(root, "package.json"), JSON.stringify({ optionalDependencies }));
}

/** A package whose addon does not load: where it was found stands in the reason. */
function install(name: string, version = "1.2.3"): void {
  const folder = join(root, "node_modules/@hearth-llm", name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ version }));
  writeFileSync(join(folder, "hearth.node"), "no library");
}

function reasonFor(system: Partial<NativeSystem> = {}): string {
  const linux: NativeSystem = { root, platform: "linux", arch: "x64", libc: () => "gnu" };
  const native = loadNativeOf({ ...linux, ...system });
  return native.kind === "missing" ? native.reason : `loaded, ${native.origin}`;
}

describe("the native addon", () => {
  it("is the one that was compiled here, before any package's", () => {
    install("linux-x64-gnu");
    mkdirSync(join(root, "build"));
    writeFileSync(join(root, "build/hearth.node"), "no library");
    expect(reasonFor()).toMatch(/^the native addon \(compiled here\) does not load \(/);
  });

  it("is that of this system's package", () => {
    install("linux-x64-gnu");
    install("win32-x64");
    expect(reasonFor()).toContain("(@hearth-llm/linux-x64-gnu 1.2.3) does not load");
    expect(reasonFor({ platform: "win32" })).toContain("(@hearth-llm/win32-x64 1.2.3)");
  });

  it("is that of this C library where a package manager brought both", () => {
    install("linux-x64-gnu");
    install("linux-x64-musl");
    expect(reasonFor()).toContain("(@hearth-llm/linux-x64-gnu 1.2.3)");
    expect(reasonFor({ libc: () => "musl" })).toContain("(@hearth-llm/linux-x64-musl 1.2.3)");
  });

  it("is missing with the command that brings it", () => {
    expect(reasonFor()).toMatch(
      /package @hearth-llm\/linux-x64-gnu is not installed.*"npm install @hearth-llm\/linux-x64-gnu@1\.2\.3" brings it.*"hearth build"/,
    );
    expect(reasonFor({ libc: () => "musl" })).toContain("@hearth-llm/linux-x64-musl@1.2.3");
  });

  it("is missing where its package is of another version", () => {
    install("linux-x64-gnu", "1.2.2");
    expect(reasonFor()).toMatch(/is 1\.2\.2, and this hearth wants 1\.2\.3; "npm install/);
  });

  it.each([
    ["a system that has no package", { platform: "freebsd" }],
    ["a checkout, whose package.json names none", {}],
  ])("has to be compiled on %s", (_, system) => {
    if (Object.keys(system).length === 0) writeManifest({});
    install("freebsd-x64");
    expect(reasonFor(system)).toMatch(/is not built for \w+-x64; "hearth build" compiles it/);
  });

  it("loads from a package, and says which", ({ skip }) => {
    const built = join(import.meta.dirname, "../../build/hearth.node");
    try {
      install("linux-x64-gnu");
      copyFileSync(built, join(root, "node_modules/@hearth-llm/linux-x64-gnu/hearth.node"));
    } catch {
      skip("the addon is not built");
    }
    expect(reasonFor()).toBe("loaded, @hearth-llm/linux-x64-gnu 1.2.3");
  });
});
