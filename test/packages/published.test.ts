/** The packages that a release publishes: their manifests, what is checked of them, and the changelog's section. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { datedChangelog } from "../../tools/packages/changelog.ts";
import { binaryOf, problemsOf, tooNewFor } from "../../tools/packages/check.ts";
import {
  addonManifest,
  gpuManifest,
  gpuPlatformManifest,
  type Manifest,
  mainManifest,
} from "../../tools/packages/manifests.ts";
import { platforms } from "../../tools/packages/platforms.ts";
import type { PackedPackage } from "../../tools/packages/stage.ts";

const root = resolve(import.meta.dirname, "../..");
const read = (path: string): Manifest => JSON.parse(readFileSync(join(root, path), "utf8"));
const own = read("package.json");
const gpuVersion = "0.6.2";
const webgpu = { name: "webgpu", version: gpuVersion, license: "MIT" };
const folders = ["linux-x64", "darwin-universal"];

const folder = mkdtempSync(join(tmpdir(), "hearth-published-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** The beginning of a library, as each system's loader reads it. */
function library(os: string, cpu: string, text = "\0GLIBC_2.14\0GLIBC_2.28\0"): Buffer {
  const bytes = Buffer.alloc(256);
  const machines = {
    linux: [0x3e, 0xb7],
    darwin: [0x01000007, 0x0100000c],
    win32: [0x8664, 0xaa64],
  };
  const machine = machines[os as keyof typeof machines][cpu === "x64" ? 0 : 1]!;
  if (os === "linux") {
    bytes.writeUInt32BE(0x7f454c46, 0);
    bytes.writeUInt16LE(machine, 18);
  } else if (os === "darwin") {
    bytes.writeUInt32LE(0xfeedfacf, 0);
    bytes.writeUInt32LE(machine, 4);
  } else {
    bytes.write("MZ", 0, "latin1");
    bytes.writeUInt32LE(128, 60);
    bytes.write("PE\0\0", 128, "latin1");
    bytes.writeUInt16LE(machine, 132);
  }
  bytes.write(text, 160, "latin1");
  return bytes;
}

function packedOf(manifest: Manifest): PackedPackage {
  return {
    manifest,
    folder: join(folder, manifest.name.replace("@hearth-llm/", "")),
    tarball: "",
    integrity: "",
    packedBytes: 1,
    unpackedBytes: 1,
    files: ["LICENSE"],
  };
}

function allPacked(): readonly PackedPackage[] {
  const addons = platforms.map((platform) => {
    const packed = packedOf(addonManifest(own, platform));
    rmSync(packed.folder, { recursive: true, force: true });
    return { ...packed, folder: mkdtempSync(`${packed.folder}-`) };
  });
  for (const [index, { os, cpu }] of platforms.entries()) {
    writeFileSync(join(addons[index]!.folder, "hearth.node"), library(os, cpu));
  }
  const gpu = folders.map((system) => packedOf(gpuPlatformManifest(own, webgpu, system)));
  const meta = packedOf(gpuManifest(own, webgpu, folders));
  return [...gpu, meta, ...addons, packedOf(mainManifest(own, gpuVersion))];
}

describe("hearth-llm as it is published", () => {
  const main = mainManifest(own, gpuVersion);

  it("names every addon in its own version, and the GPU as an optional peer", () => {
    const names = platforms.map(({ name }) => `@hearth-llm/${name}`);
    const versions = Object.fromEntries(names.map((name) => [name, own.version]));
    expect(main["optionalDependencies"]).toEqual(versions);
    expect(main["peerDependencies"]).toEqual({ "@hearth-llm/gpu": gpuVersion });
    expect(main["peerDependenciesMeta"]).toEqual({ "@hearth-llm/gpu": { optional: true } });
    expect(names.length).toBeGreaterThanOrEqual(5);
  });

  it("runs no script, and depends on what cannot lie inside its own files", () => {
    expect(main["scripts"]).toBeUndefined();
    expect(main["devDependencies"]).toBeUndefined();
    const { highs, "node-api-headers": headers } = Object(own["dependencies"]);
    expect(main["dependencies"]).toEqual({ highs, "node-api-headers": headers });
    expect(main["exports"]).toEqual(own["exports"]);
  });

  it("is not what the checkout names: there npm ci must find everything", () => {
    const named = Object.keys({
      ...Object(own["dependencies"]),
      ...Object(own["optionalDependencies"]),
    });
    expect(named.filter((name) => name.startsWith("@hearth-llm/"))).toEqual([]);
  });
});

describe("the GPU's package", () => {
  it("takes one part: each is for its systems alone", () => {
    const part = gpuPlatformManifest(own, webgpu, "darwin-universal");
    expect(part).toMatchObject({ os: ["darwin"], cpu: ["x64", "arm64"], version: gpuVersion });
    expect(part).not.toHaveProperty("libc");
    expect(gpuPlatformManifest(own, webgpu, "linux-x64")).toMatchObject({ libc: ["glibc"] });
    expect(gpuManifest(own, webgpu, folders)["optionalDependencies"]).toEqual({
      "@hearth-llm/gpu-linux-x64": gpuVersion,
      "@hearth-llm/gpu-darwin-universal": gpuVersion,
    });
  });

  it("is of the version that the checkout is tested with", () => {
    expect(own["optionalDependencies"]).toEqual({ webgpu: gpuVersion });
  });
});

describe("a release", () => {
  it("has no problem where all is there", () => {
    expect(problemsOf(allPacked(), own)).toEqual([]);
  });

  it.each<[string, (all: readonly PackedPackage[]) => readonly PackedPackage[], RegExp]>([
    ["an addon is left out", (all) => all.slice(0, 3).concat(all.slice(4)), /is not packed/],
    [
      "a part of the GPU is left out",
      (all) => all.slice(1),
      /gpu: it wants @hearth-llm\/gpu-linux-x64@0\.6\.2, which is not packed/,
    ],
    [
      "a package has no licence",
      ([first, ...rest]) => [{ ...first!, files: ["index.js"] }, ...rest],
      /has no file LICENSE/,
    ],
    [
      "a package runs scripts",
      ([first, ...rest]) => [
        { ...first!, manifest: { ...first!.manifest, scripts: { install: "x" } } },
        ...rest,
      ],
      /runs scripts where it is installed/,
    ],
    [
      "a package is not of our repository",
      ([first, ...rest]) => [
        { ...first!, manifest: { ...first!.manifest, repository: "other" } },
        ...rest,
      ],
      /repository is not ours/,
    ],
  ])("is refused where %s", (_, change, problem) => {
    expect(problemsOf(change(allPacked()), own).join("\n")).toMatch(problem);
  });

  it("is refused where an addon is for another system", () => {
    const all = allPacked();
    const mac = all.find(({ manifest }) => manifest.name.endsWith("darwin-arm64"))!;
    writeFileSync(join(mac.folder, "hearth.node"), library("darwin", "x64"));
    expect(problemsOf(all, own)).toEqual([
      "darwin-arm64/hearth.node: it is made for darwin x64, not darwin arm64",
    ]);
  });

  it("is refused where an addon names the folder that it was built in", () => {
    const all = allPacked();
    const mac = all.find(({ manifest }) => manifest.name.endsWith("darwin-arm64"))!;
    const path = Buffer.from(join(root, "build/packages/darwin-arm64/hearth.node"));
    writeFileSync(
      join(mac.folder, "hearth.node"),
      Buffer.concat([library("darwin", "arm64"), path]),
    );
    expect(problemsOf(all, own)).toEqual([
      "darwin-arm64/hearth.node: it names the folder that it was built in",
    ]);
  });

  it("tells libraries apart by their first bytes", () => {
    for (const { os, cpu } of platforms) expect(binaryOf(library(os, cpu))).toBe(`${os} ${cpu}`);
    expect(binaryOf(Buffer.alloc(200))).toBe("no system that is known");
    expect(binaryOf(Buffer.alloc(3))).toBe("nothing");
  });

  it("finds an addon that asks for a newer C library, or for the system's of C++", () => {
    const target = { target: "x86_64-linux-gnu.2.28" };
    const asks = (text: string): readonly string[] =>
      tooNewFor(library("linux", "x64", text), target);
    expect(asks("\0GLIBC_2.2.5\0GLIBC_2.28\0")).toEqual([]);
    expect(asks("\0GLIBC_2.34\0")).toEqual(["it asks for glibc 2.34, at most 2.28"]);
    expect(asks("\0GLIBC_2.17\0libstdc++.so.6\0")).toEqual(["it asks for the system's libstdc++"]);
    expect(asks("")).toHaveLength(1);
  });
});

describe("the changelog", () => {
  const day = new Date("2026-12-01T10:00:00Z");
  const text = "# Changelog\n\n## 1.2.0 (unreleased)\n\nNew.\n\n## 1.1.0 (2026-01-01)\n\nOld.\n";

  it("gets the day in its newest section", () => {
    const dated = datedChangelog(text, "1.2.0", day);
    expect(dated.section).toBe("## 1.2.0 (2026-12-01)\n\nNew.\n");
    expect(dated.text).toBe(text.replace("(unreleased)", "(2026-12-01)"));
  });

  it("is refused where the section is of another version, released or empty", () => {
    expect(() => datedChangelog(text, "1.3.0", day)).toThrow('expected "## 1.3.0 (unreleased)"');
    expect(() => datedChangelog(text.replace("New.\n", ""), "1.2.0", day)).toThrow("says nothing");
  });

  it("of this repository can be dated", () => {
    const changelog = readFileSync(join(root, "CHANGELOG.md"), "utf8");
    expect(datedChangelog(changelog, own.version, day).section.length).toBeGreaterThan(1000);
  });
});
