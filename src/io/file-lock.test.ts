import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { withFileLock } from "./file-lock.ts";
import { ownedPath } from "./ownership.ts";

const root = mkdtempSync(join(tmpdir(), "hearth-lock-"));
afterAll(() => rmSync(root, { recursive: true }));

let made = 0;
let folder = "";
let target = "";
beforeEach(() => {
  folder = join(root, String(made++));
  mkdirSync(folder);
  target = join(folder, "counter");
});

/** Adds one to a number in a file, with a pause in which everybody else would lose it. */
async function addOne(): Promise<void> {
  await withFileLock(target, async () => {
    const before = Number(readFileSync(target, "utf8"));
    await pause(2);
    writeFileSync(target, String(before + 1));
  });
}

/** The same, `count` times in a process of its own. */
function adder(count: number): ReturnType<typeof spawn> {
  const module = JSON.stringify(resolve(import.meta.dirname, "../../dist/io/file-lock.js"));
  const script = `
    import { readFileSync, writeFileSync } from "node:fs";
    import { withFileLock } from ${module};
    const target = ${JSON.stringify(target)};
    for (let i = 0; i < ${count}; i++) {
      await withFileLock(target, async () => {
        const before = Number(readFileSync(target, "utf8"));
        console.log("in");
        await new Promise((resolve) => setTimeout(resolve, 2));
        writeFileSync(target, String(before + 1));
      });
    }`;
  return spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}

describe("a lock", () => {
  it("lets one in at a time within a process, and leaves nothing", async () => {
    writeFileSync(target, "0");
    await Promise.all(Array.from({ length: 8 }, addOne));
    expect(readFileSync(target, "utf8")).toBe("8");
    expect(readdirSync(folder)).toEqual(["counter"]);
  });

  it("lets one in at a time among processes", async () => {
    writeFileSync(target, "0");
    const children = [adder(10), adder(10), adder(10)];
    for (const child of children) child.stdout?.resume();
    await Promise.all(children.map((child) => once(child, "exit")));
    expect(readFileSync(target, "utf8")).toBe("30");
    expect(readdirSync(folder)).toEqual(["counter"]);
  });

  it("of a killed process is nobody's", async () => {
    writeFileSync(target, "0");
    const child = adder(1000);
    await once(child.stdout ?? child, "data");
    child.kill("SIGKILL");
    await once(child, "exit");
    const before = Number(readFileSync(target, "utf8"));
    await addOne();
    expect(Number(readFileSync(target, "utf8"))).toBe(before + 1);
    expect(readdirSync(folder)).toEqual(["counter"]);
  });

  it("of a process that lives is waited for, and named when that takes too long", async () => {
    const claim = ownedPath(target, "lock");
    writeFileSync(claim, "");
    await expect(withFileLock(target, async () => "never", 100)).rejects.toMatchObject({
      code: "EBUSY",
      message: expect.stringContaining(claim),
    });
    setTimeout(() => rmSync(claim), 60);
    expect(await withFileLock(target, async () => "then", 10_000)).toBe("then");
  });

  it("is given back when the work fails, and cannot be had where nothing can be written", async () => {
    const failing = withFileLock(target, async () => {
      throw new Error("of the work");
    });
    await expect(failing).rejects.toThrow("of the work");
    expect(readdirSync(folder)).toEqual([]);
    await expect(withFileLock(join(folder, "no/file"), async () => {})).rejects.toMatchObject({
      code: "ENOENT",
    });
  });

  it("of another machine is left alone while it is fresh", async () => {
    const foreign = ownedPath(target, "lock").replace(/\.[0-9a-f]{8}-/, ".00000000-");
    writeFileSync(foreign, "");
    await expect(withFileLock(target, async () => {}, 50)).rejects.toMatchObject({ code: "EBUSY" });
    const ended = spawnSync(process.execPath, ["-e", ""]).pid;
    rmSync(foreign);
    writeFileSync(ownedPath(target, "lock").replace(`-${process.pid}-`, `-${ended}-`), "");
    expect(await withFileLock(target, async () => 1, 5000)).toBe(1);
  });
});
