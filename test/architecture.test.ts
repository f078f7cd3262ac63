/** The import directions of docs/ARCHITECTURE.md, enforced. Fails when it examined nothing. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { describe, expect, it } from "vitest";
import { backendFolders, layers } from "./layers.ts";

const root = resolve(import.meta.dirname, "../src");
const importPattern = /(?:\bfrom|\bimport)\s*\(?\s*["'](\.{1,2}\/[^"']+)["']/g;

interface Edge {
  readonly from: string;
  readonly to: string;
}

function sourceFiles(): readonly string[] {
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
    .map((file) => join(root, file));
}

function importsOf(source: string, file: string): readonly Edge[] {
  return [...source.matchAll(importPattern)].map((match) => ({
    from: relative(root, file),
    to: relative(root, resolve(dirname(file), match[1] ?? "")),
  }));
}

/** The longest room that holds the file; else its first folder, or its own name: "index" for src/index.ts. */
function layerOf(file: string): string {
  const folders = file.split(sep).slice(0, -1);
  for (let depth = folders.length; depth > 0; depth--) {
    const room = folders.slice(0, depth).join("/");
    if (room in layers) return room;
  }
  return folders[0] ?? file.replace(/\.ts$/, "");
}

function backendOf(file: string): string | undefined {
  const [layer, folder] = file.split(sep);
  return layer === "backends" && backendFolders.includes(folder ?? "") ? folder : undefined;
}

/** The conformance suite compares backends with the reference, so it may know the reference. */
function isConformance(file: string): boolean {
  return file.startsWith(join("backends", "conformance"));
}

function isViolation({ from, to }: Edge): boolean {
  const source = layerOf(from);
  const target = layerOf(to);
  if (source === "index") return false;
  const fromBackend = backendOf(from);
  const toBackend = backendOf(to);
  if (isConformance(from) && toBackend === "reference") return false;
  if (toBackend !== undefined && source === "backends" && fromBackend !== toBackend) return true;
  return source !== target && !(layers[source] ?? []).includes(target);
}

describe("the import directions", () => {
  const files = sourceFiles();
  const edges = files.flatMap((file) => importsOf(readFileSync(file, "utf8"), file));

  it("are read from a tree that has files and imports", () => {
    // A floor near the true count, so that a glob that loses a room fails: 358 files at the time of writing.
    expect(files.length).toBeGreaterThan(340);
    expect(edges.length).toBeGreaterThan(files.length);
  });

  it("find files in every room of the table", () => {
    const rooms = new Set(files.map((file) => layerOf(relative(root, file))));
    expect(Object.keys(layers).filter((room) => !rooms.has(room))).toEqual([]);
  });

  it("hold for every import of src", () => {
    expect(edges.filter(isViolation)).toEqual([]);
  });

  it("know every layer that exists", () => {
    const known = new Set([...Object.keys(layers), "index"]);
    expect(files.map((file) => layerOf(relative(root, file))).filter((l) => !known.has(l))).toEqual(
      [],
    );
  });

  it("catch a planted violation, also in a dynamic import and a re-export", () => {
    const planted = `const a = await import("../runtime/session.ts");\nexport { b } from "../cli/main.ts";`;
    const found = importsOf(planted, join(root, "core", "planted.ts"));
    expect(found.filter(isViolation)).toHaveLength(2);
  });

  it("keep the backends apart", () => {
    const crossing = {
      from: join("backends", "cpu", "a.ts"),
      to: join("backends", "webgpu", "b.ts"),
    };
    expect(isViolation(crossing)).toBe(true);
  });
});

describe("files that a user named", () => {
  /** What reads by a path without looking at its kind, or at how much comes. */
  const readers =
    /\b(readFile|readFileSync|openSync|createReadStream|open)\b(?=[^;]*\}? ?from "node:fs)/;
  /** These read what hearth ships or what the system tells; the stream of a corpus is given a descriptor. */
  const allowed = new Map([
    ["io/open-file.ts", "the one opening"],
    ["core/version.ts", "package.json, of this package and of another"],
    ["backends/addon.ts", "the addon, of this package"],
    ["core/native-addon.ts", "package.json, of this package and of another"],
    ["devices/hardware/measure.ts", "/sys"],
    ["backends/webgpu/adapter-memory.ts", "/proc and /sys"],
    ["learning/corpus.ts", "a descriptor of io/open-file.ts"],
    ["io/ownership.ts", "/proc"],
    ["io/cgroup.ts", "/proc and /sys"],
    ["io/replace-file.ts", "a file that is made"],
    ["io/make-file.ts", "a file that is made"],
    ["commands/prediction/remote-model.ts", "a file that is made"],
    ["server/page/files.ts", "the page, of this package"],
    ["hub/partial-file.ts", "a file that is made"],
  ]);

  it("are opened by io/open-file.ts alone", () => {
    const found = sourceFiles()
      .filter((file) => readers.test(readFileSync(file, "utf8")))
      .map((file) => relative(root, file).replaceAll(sep, "/"));
    expect(found).toContain("io/open-file.ts");
    expect(found.filter((file) => !allowed.has(file))).toEqual([]);
  });

  it("would be found if they were opened elsewhere", () => {
    expect('import { readFileSync, statSync } from "node:fs";').toMatch(readers);
    expect('import {\n  existsSync,\n  createReadStream,\n} from "node:fs";').toMatch(readers);
    expect('import { open } from "node:fs/promises";').toMatch(readers);
    expect('import { existsSync } from "node:fs";').not.toMatch(readers);
  });
});

describe("the size of files", () => {
  it("stays within 400 lines in src, page, native, tools, test and bench", () => {
    const project = resolve(root, "..");
    const folders = ["src", "page", "native", "tools", "test", "bench"];
    const files = folders.flatMap((folder) =>
      readdirSync(join(project, folder), { recursive: true, encoding: "utf8" })
        .filter((file) => /\.(tsx?|mjs|cc|h|wgsl|css)$/.test(file))
        .map((file) => join(folder, file)),
    );
    const lines = (file: string): number =>
      readFileSync(join(project, file), "utf8").split("\n").length - 1;
    expect(files.length).toBeGreaterThan(580);
    expect(files.filter((file) => lines(file) > 400)).toEqual([]);
  });
});
