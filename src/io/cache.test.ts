import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { openCache } from "./cache.ts";

const isUnix = process.platform !== "win32";
const isRoot = process.getuid?.() === 0;
const root = mkdtempSync(join(tmpdir(), "hearth-cache-"));
const before = process.env["XDG_CACHE_HOME"];
afterAll(() => {
  if (before === undefined) delete process.env["XDG_CACHE_HOME"];
  else process.env["XDG_CACHE_HOME"] = before;
  rmSync(root, { recursive: true });
});

let made = 0;
let home = "";
beforeEach(() => {
  home = join(root, String(made++));
  mkdirSync(home);
  process.env["XDG_CACHE_HOME"] = home;
});

/** Each is a place where no folder can be made; what has to be there first is made by the second. */
const impossible: readonly (readonly [string, () => void, () => string])[] = [
  ["a path through a device", () => {}, () => "/dev/null/x"],
  ["a path through a file", () => writeFileSync(at("file"), ""), () => at("file/x")],
  ["a named pipe", () => spawnSync("mkfifo", [at("pipe")]), () => at("pipe")],
  ["a path through a named pipe", () => spawnSync("mkfifo", [at("pipe")]), () => at("pipe/x")],
  ["links that lead round", () => symlinkSync(at("round"), at("round")), () => at("round/x")],
  ["a link that leads nowhere", () => symlinkSync(at("none"), at("link")), () => at("link")],
  ["a file system that takes nothing", () => {}, () => "/proc/hearth/x"],
  ["a name that is too long", () => {}, () => at("x".repeat(300))],
  ["a path that is too long", () => {}, () => at("x/".repeat(5000))],
];

const at = (name: string): string => join(home, name);

describe("the cache", () => {
  it("keeps what it is given, for this user alone, and forgets it", async () => {
    const cache = openCache("plans");
    expect(cache.read("a.json")).toBeUndefined();
    expect(await cache.keep("a.json", "one")).toBeUndefined();
    expect(await cache.keep("a.json", "two")).toBeUndefined();
    expect(openCache("plans").read("a.json")).toBe("two");
    expect(readdirSync(join(home, "hearth/plans"))).toEqual(["a.json"]);
    if (isUnix) expect(statSync(join(home, "hearth")).mode & 0o777).toBe(0o700);
    cache.forget("a.json");
    expect(cache.read("a.json")).toBeUndefined();
  });

  it.skipIf(!isUnix).each(impossible)(
    "that cannot be is a notice: %s (not on Windows)",
    async (_, prepare, place) => {
      prepare();
      process.env["XDG_CACHE_HOME"] = place();
      const cache = openCache("plans");
      expect(cache.read("a")).toBeUndefined();
      expect(await cache.keep("a", "text")).toMatch(
        /^nothing is kept for the next time: .*XDG_CACHE_HOME/,
      );
      cache.forget("a");
    },
  );

  it.skipIf(!isUnix).each(["/dev/null/x", "/proc/x/y", "/dev/stdin/x"])(
    "never hangs, in a process of its own: %s (not on Windows)",
    (place) => {
      const module = pathToFileURL(resolve(import.meta.dirname, "../../dist/io/cache.js")).href;
      const script = `import { openCache } from ${JSON.stringify(module)}; console.log(await openCache("plans").keep("a", "b"));`;
      const env = { ...process.env, XDG_CACHE_HOME: place };
      const { status, stdout } = spawnSync(
        process.execPath,
        ["--input-type=module", "-e", script],
        { env, encoding: "utf8", timeout: 20_000 },
      );
      expect(status).toBe(0);
      expect(stdout).toContain("nothing is kept");
    },
  );

  it.skipIf(!isUnix || isRoot)(
    "in a folder without permission is a notice (not as root)",
    async () => {
      chmodSync(home, 0o500);
      expect(await openCache("plans").keep("a", "b")).toContain("nothing is kept");
    },
  );

  it.skipIf(!isRoot)(
    "takes nothing from a folder of another user, nor through a link of theirs (needs root)",
    async () => {
      mkdirSync(join(home, "hearth/plans"), { recursive: true });
      writeFileSync(join(home, "hearth/plans/a"), "planted");
      chownSync(join(home, "hearth"), 12345, 12345);
      expect(openCache("plans").read("a")).toBeUndefined();
      expect(await openCache("plans").keep("a", "b")).toMatch(/belongs to another user \(12345\)/);
      chownSync(join(home, "hearth"), 0, 0);
      expect(openCache("plans").read("a")).toBe("planted");
      rmSync(join(home, "hearth"), { recursive: true });
      mkdirSync(join(home, "mine"));
      symlinkSync(join(home, "mine"), join(home, "hearth"));
      spawnSync("chown", ["-h", "12345", join(home, "hearth")]);
      expect(lstatSync(join(home, "hearth")).uid).toBe(12345);
      expect(await openCache("plans").keep("a", "b")).toContain("belongs to another user");
      expect(existsSync(join(home, "mine/plans/a"))).toBe(false);
    },
  );

  it.skipIf(!isUnix)(
    "shuts a folder of its own that others may write into (not on Windows)",
    () => {
      mkdirSync(join(home, "hearth/plans"), { recursive: true });
      chmodSync(join(home, "hearth"), 0o777);
      openCache("plans");
      expect(statSync(join(home, "hearth")).mode & 0o777).toBe(0o700);
    },
  );

  it("passes over a relative XDG_CACHE_HOME, as its specification says", () => {
    process.env["XDG_CACHE_HOME"] = "relative-cache";
    const home_ = process.env["HOME"];
    process.env["HOME"] = home;
    process.env["LOCALAPPDATA"] ??= home;
    openCache("plans");
    expect(existsSync("relative-cache")).toBe(false);
    if (home_ === undefined) delete process.env["HOME"];
    else process.env["HOME"] = home_;
  });
});
