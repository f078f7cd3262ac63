import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { FileAccessError } from "../core/errors.ts";
import { livingOwners, ownedPath } from "./ownership.ts";
import { checkReplaceable, replaceFile } from "./replace-file.ts";

const isUnix = process.platform !== "win32";
const root = mkdtempSync(join(tmpdir(), "hearth-replace-"));
afterAll(() => rmSync(root, { recursive: true }));

let made = 0;
let folder = "";
let target = "";
beforeEach(() => {
  folder = join(root, String(made++));
  mkdirSync(folder);
  target = join(folder, "file");
});

const write = (path: string, text: string): Promise<void> =>
  replaceFile(path, (handle) => handle.writeFile(text));
const content = (): string => readFileSync(target, "utf8");

/** A process that has ended: its number, and a name that it would have given. */
function leftoverOf(pid: number, kind: "partial" | "lock"): string {
  return ownedPath(target, kind).replace(`-${process.pid}-`, `-${pid}-`);
}

describe("replacing a file", () => {
  it("makes it, replaces it, and leaves nothing beside it", async () => {
    await write(target, "one");
    await write(target, "two");
    expect(content()).toBe("two");
    expect(readdirSync(folder)).toEqual(["file"]);
  });

  it("that fails leaves the old file and nothing beside it", async () => {
    await write(target, "old");
    const failing = replaceFile(target, async (handle) => {
      await handle.writeFile("half");
      throw new Error("of the writer");
    });
    await expect(failing).rejects.toThrow("of the writer");
    expect(content()).toBe("old");
    expect(readdirSync(folder)).toEqual(["file"]);
  });

  it.skipIf(!isUnix)("keeps its permissions, and links as links (not on Windows)", async () => {
    await write(target, "old");
    chmodSync(target, 0o640);
    symlinkSync("file", join(folder, "link"));
    symlinkSync("new", join(folder, "dangling"));
    await write(join(folder, "link"), "through a link");
    await write(join(folder, "dangling"), "made");
    expect(content()).toBe("through a link");
    expect(statSync(target).mode & 0o777).toBe(0o640);
    expect(lstatSync(join(folder, "link")).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(folder, "new"), "utf8")).toBe("made");
  });

  it("removes what killed processes have left, and only that", async () => {
    const ended = spawnSync(process.execPath, ["-e", ""]).pid;
    const dead = leftoverOf(ended, "partial");
    const alive = ownedPath(target, "partial");
    const reborn = leftoverOf(process.pid, "partial").replace(
      /-\d+-([0-9a-f]{8}\.partial)$/,
      "-1-$1",
    );
    const foreign = leftoverOf(1, "partial").replace(/\.[0-9a-f]{8}-/, ".00000000-");
    const forgotten = leftoverOf(2, "partial").replace(/\.[0-9a-f]{8}-/, ".00000000-");
    const old = join(folder, "file.0bd5a6e2-7f6c-4a51-a3d4-2c9a9e0e0e0e.partial");
    const others = join(folder, "other.partial");
    for (const path of [dead, alive, reborn, foreign, forgotten, old, others])
      writeFileSync(path, "");
    const lastWeek = new Date(Date.now() - 7 * 24 * 3600 * 1000);
    for (const path of [alive, forgotten, old, others]) utimesSync(path, lastWeek, lastWeek);
    await write(target, "new");
    const kept = [alive, foreign, others, target];
    // Only Linux says in a file when a process began.
    if (process.platform !== "linux") kept.push(reborn);
    expect(
      readdirSync(folder)
        .map((name) => join(folder, name))
        .sort(),
    ).toEqual(kept.sort());
  });

  it("of a name as long as the file system allows works, and is cleaned up too", async () => {
    target = join(folder, "n".repeat(250));
    await write(target, "long");
    const dead = leftoverOf(spawnSync(process.execPath, ["-e", ""]).pid, "partial");
    writeFileSync(dead, "");
    await write(target, "longer");
    expect(readdirSync(folder)).toEqual(["n".repeat(250)]);
  });

  it("is refused where it cannot be done, before and when it is: a folder, no folder, a pipe", async () => {
    if (isUnix) spawnSync("mkfifo", [join(folder, "pipe")]);
    const wrong: readonly (readonly [string, string, RegExp])[] = [
      [folder, "EISDIR", /is a folder, not a file that can be replaced/],
      [join(folder, "no/file"), "ENOENT", /the folder .*no does not exist/],
      ...(isUnix ? ([[join(folder, "pipe"), "EFTYPE", /is a named pipe/]] as const) : []),
      ...(process.platform === "linux"
        ? ([
            ["/proc/hearth", "ENOENT", /the folder \/proc takes no files/],
            ["/sys/hearth", "EACCES", /no permission/],
          ] as const)
        : []),
    ];
    for (const [path, code, message] of wrong) {
      const checked = (): void => checkReplaceable(path);
      expect(checked).toThrow(FileAccessError);
      if (path !== "/sys/hearth") expect(checked).toThrow(expect.objectContaining({ code }));
      expect(checked).toThrow(path === "/sys/hearth" ? /sys\/hearth: / : message);
      await expect(write(path, "x")).rejects.toThrow(FileAccessError);
    }
  });

  it("that is only looked into leaves everything as it is", async () => {
    checkReplaceable(target);
    expect(readdirSync(folder)).toEqual([]);
    await write(target, "old");
    checkReplaceable(target);
    expect(content()).toBe("old");
    expect(readdirSync(folder)).toEqual(["file"]);
  });

  it.skipIf(process.platform !== "linux")(
    "on a full disk leaves the old file (needs /dev/full)",
    async () => {
      linkSync(await makeOld(), join(folder, "backup"));
      const failing = replaceFile(target, async (handle) => {
        await handle.writeFile("half");
        writeFileSync("/dev/full", "x");
      });
      await expect(failing).rejects.toThrow(
        /file: cannot be written: no space is left on the device/,
      );
      expect(content()).toBe("old");
      expect(readdirSync(folder).sort()).toEqual(["backup", "file"]);
    },
  );
});

async function makeOld(): Promise<string> {
  await write(target, "old");
  return target;
}

/** Writes half a file, says so, and waits. */
function writer(handlers = ""): ReturnType<typeof spawn> {
  const module = JSON.stringify(resolve(import.meta.dirname, "../../dist/io/replace-file.js"));
  const script = `
    import { replaceFile } from ${module};
    ${handlers}
    await replaceFile(${JSON.stringify(target)}, async (handle) => {
      await handle.writeFile("half");
      console.log("half");
      await new Promise((resolve) => setTimeout(resolve, 30_000));
    });`;
  return spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}

describe.skipIf(!isUnix)(
  "a process that is ended while it writes (not on Windows: no signals)",
  () => {
    it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
      "by %s leaves the old file and no partial one",
      async (signal) => {
        await makeOld();
        expect(existsSync(resolve(import.meta.dirname, "../../dist/io/replace-file.js"))).toBe(
          true,
        );
        const child = writer();
        await once(child.stdout ?? child, "data");
        expect(readdirSync(folder)).toHaveLength(2);
        child.kill(signal);
        expect(await once(child, "exit")).toEqual([null, signal]);
        expect(content()).toBe("old");
        expect(readdirSync(folder)).toEqual(["file"]);
      },
    );

    it("by its own exit at a signal cleans up too, and a handler that goes on is not cut short", async () => {
      await makeOld();
      const child = writer(
        `process.on("SIGINT", () => console.log("seen")); process.on("SIGTERM", () => process.exit(7));`,
      );
      await once(child.stdout ?? child, "data");
      child.kill("SIGINT");
      await once(child.stdout ?? child, "data");
      expect(readdirSync(folder)).toHaveLength(2);
      child.kill("SIGTERM");
      expect(await once(child, "exit")).toEqual([7, null]);
      expect(readdirSync(folder)).toEqual(["file"]);
    });

    it("by SIGKILL leaves the old file, and the next writer takes the rest away", async () => {
      await makeOld();
      const child = writer();
      await once(child.stdout ?? child, "data");
      expect(livingOwners(target, "partial")).toHaveLength(1);
      child.kill("SIGKILL");
      await once(child, "exit");
      expect(content()).toBe("old");
      expect(readdirSync(folder)).toHaveLength(2);
      await write(target, "new");
      expect(readdirSync(folder)).toEqual(["file"]);
    });
  },
);
