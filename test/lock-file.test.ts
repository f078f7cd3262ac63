/** package-lock.json serves every platform and every npm alike: `npm ci` and `npm install` leave it as it is. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";

interface LockedPackage {
  readonly version: string;
  readonly resolved?: string;
  readonly libc?: readonly string[];
  readonly os?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

type Packages = Readonly<Record<string, LockedPackage>>;

const root = resolve(import.meta.dirname, "..");

function read(name: string): { readonly packages: Packages } & LockedPackage {
  return JSON.parse(readFileSync(resolve(root, name), "utf8"));
}

/** "package wants name" for each dependency, optional ones too, that no folder Node would look in holds. */
function missingFrom(packages: Packages): readonly string[] {
  return Object.entries(packages).flatMap(([path, locked]) => {
    const wanted = { ...locked.dependencies, ...locked.optionalDependencies };
    const own = path === "" ? locked.devDependencies : {};
    return Object.keys({ ...wanted, ...own })
      .filter((name) => !isFound(packages, path, name))
      .map((name) => `${path} wants ${name}`);
  });
}

function isFound(packages: Packages, from: string, name: string): boolean {
  const folders = from === "" ? [] : from.split(/\/?node_modules\//).slice(1);
  return folders.concat("").some((_, depth) => {
    const above = folders
      .slice(0, folders.length - depth)
      .map((folder) => `node_modules/${folder}`);
    return [...above, `node_modules/${name}`].join("/") in packages;
  });
}

describe("the lock file", () => {
  const { packages } = read("package-lock.json");

  it("holds every package that another names, those of other platforms too", () => {
    expect(missingFrom(packages)).toEqual([]);
    const systems = new Set(Object.values(packages).flatMap(({ os = [] }) => os));
    expect([...systems]).toEqual(expect.arrayContaining(["linux", "darwin", "win32"]));
  });

  it("is judged: without one platform's package it is not complete", () => {
    const platform = Object.keys(packages).find((path) => packages[path]?.os?.includes("win32"));
    const { [platform ?? ""]: _, ...rest } = packages;
    expect(missingFrom(rest)).toHaveLength(1);
  });

  it("agrees with package.json", () => {
    const { dependencies, devDependencies, optionalDependencies } = read("package.json");
    expect(packages[""]).toMatchObject({ dependencies, devDependencies, optionalDependencies });
  });

  it("names no registry", () => {
    const named = Object.entries(packages).filter(([, { resolved }]) => resolved !== undefined);
    expect(named).toEqual([]);
  });

  // npm 10 takes "libc" out where npm 11 wrote it; neither adds it to a lock without. Write the lock with npm 10.
  it("has no field that one npm writes and another takes out", () => {
    expect(Object.values(packages).filter(({ libc }) => libc !== undefined)).toEqual([]);
  });
});
