/**
 * An archive with all that the proof needs on a Linux machine that has a card's driver and nothing else: Node, the compiled
 * program, addons, the Vulkan loader, the bundled model. Paths are those of the checkout, so that the program finds its own.
 */
import { execFileSync, spawnSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { HearthError, LimitError } from "../../src/core/errors.ts";
import { packagePath } from "../../src/core/package-root.ts";
import { formatBytes, MiB } from "../../src/core/units.ts";
import { ownVersion } from "../../src/core/version.ts";

export interface BundleRequest {
  /** Ends in .tar.gz or .tar.xz. */
  readonly file: string;
  readonly commit: string | null;
  readonly onProgress: (text: string) => void;
}

/** What a message or a chat can still carry. */
const mostBytes = 60 * MiB;
const name = "hearth-prove-gpu";

/** Libraries by the folder that prove.sh looks in; those of Debian's packages where this system lacks them. */
const libraries = {
  runtime: { files: ["libstdc++.so.6", "libgcc_s.so.1"], packages: ["libstdc++6", "libgcc-s1"] },
  vulkan: { files: ["libvulkan.so.1"], packages: ["libvulkan1"] },
  x11: {
    files: [
      "libX11.so.6",
      "libXext.so.6",
      "libxcb.so.1",
      "libXau.so.6",
      "libXdmcp.so.6",
      "libbsd.so.0",
      "libmd.so.0",
    ],
    packages: ["libx11-6", "libxext6", "libxcb1", "libxau6", "libxdmcp6", "libbsd0", "libmd0"],
  },
} as const;

/** @throws LimitError when the archive is too large; HearthError where a part of it is missing. */
export function writeBundle({ file, commit, onProgress }: BundleRequest): void {
  if (process.platform !== "linux")
    throw new HearthError(`a bundle is made on Linux, for Linux; this is ${process.platform}`);
  const scratch = mkdtempSync(join(tmpdir(), "hearth-bundle-"));
  try {
    const folder = join(scratch, name);
    copyProgram(folder);
    const absent = copyLibraries(folder, join(scratch, "packages"));
    for (const library of absent)
      onProgress(`absent from the bundle, the target must have it: ${library}`);
    const glibc = neededGlibc(folder);
    const script = readFileSync(packagePath("tools/prove-gpu/prove.sh"), "utf8");
    const filled = script.replaceAll("@GLIBC@", glibc).replaceAll("@ARCH@", process.arch);
    writeFileSync(join(folder, "prove.sh"), filled, { mode: 0o755 });
    const manifest = { hearth: ownVersion(), commit, glibc, node: process.version, absent };
    writeFileSync(join(folder, "bundle.json"), `${JSON.stringify(manifest, null, 1)}\n`);
    pack(scratch, resolve(file));
  } finally {
    rmSync(scratch, { recursive: true });
  }
  const { size } = statSync(file);
  if (size > mostBytes)
    throw new LimitError(
      `${file} has ${formatBytes(size)}, more than ${formatBytes(mostBytes)}; end its name in .tar.xz`,
    );
  onProgress(
    `${file}: ${formatBytes(size)}. There: tar -xf ${basename(file)} && ${name}/prove.sh OUT`,
  );
}

function copyProgram(folder: string): void {
  const copy = (path: string): void => {
    const from = packagePath(path);
    if (!existsSync(from))
      throw new HearthError(
        `${path} is missing; run npm run build:native and npm ci, then try again`,
      );
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    cpSync(from, join(folder, path), { recursive: true, dereference: true });
  };
  const addon = `node_modules/webgpu/dist/linux-${process.arch}/dawn.node`;
  for (const path of [
    "package.json",
    "build/hearth.node",
    "build/tools/src",
    "build/tools/tools",
    "tools/prove-gpu/end-device.mjs",
    "tools/prove-gpu/lose-device.mjs",
    "models/default.gguf",
    "LICENSE",
    "node_modules/webgpu/package.json",
    "node_modules/webgpu/index.js",
    "node_modules/webgpu/LICENSE.md",
    addon,
  ])
    copy(path);
  mkdirSync(join(folder, "addons"));
  symlinkSync(`../${addon}`, join(folder, "addons/dawn.node"));
  mkdirSync(join(folder, "bin"));
  const node = join(folder, "bin/node");
  copyFileSync(process.execPath, node);
  // A tenth of it is symbols. Without binutils it stays as it is.
  spawnSync("strip", [node], { stdio: "ignore" });
}

/** Names of those that neither this system nor Debian's archive gave. */
function copyLibraries(folder: string, packages: string): readonly string[] {
  const known = systemLibraries();
  const wanted = Object.entries(libraries);
  const missing = wanted.flatMap(([, { files, packages: names }]) =>
    files.some((file) => !known.has(file)) ? names : [],
  );
  if (missing.length > 0)
    for (const [file, path] of debianLibraries(missing, packages)) known.set(file, path);
  const absent: string[] = [];
  for (const [part, { files }] of wanted) {
    mkdirSync(join(folder, "lib", part), { recursive: true });
    for (const file of files) {
      const path = known.get(file);
      if (path === undefined) absent.push(file);
      else copyFileSync(realpathSync(path), join(folder, "lib", part, file));
    }
  }
  return absent;
}

/** Paths by name, as the linker's cache lists them: "libvulkan.so.1 (libc6,x86-64) => /usr/lib/…". */
function systemLibraries(): Map<string, string> {
  const { stdout } = spawnSync("/sbin/ldconfig", ["-p"], { encoding: "utf8" });
  const tag = process.arch === "x64" ? "x86-64" : "AArch64";
  const lines = (stdout ?? "").matchAll(/^\s*(\S+) \(([^)]*)\) => (\S+)$/gm);
  const fitting = [...lines].filter(([, , kind]) => kind?.includes(tag));
  return new Map(fitting.map(([, file = "", , path = ""]) => [file, path]));
}

/** Downloads with apt and unpacks; nothing is installed. Nothing where there is no apt, or no network. */
function debianLibraries(packages: readonly string[], folder: string): ReadonlyMap<string, string> {
  mkdirSync(join(folder, "lists/partial"), { recursive: true });
  const apt = (list: readonly string[]): boolean =>
    spawnSync("apt-get", list, { cwd: folder, stdio: "ignore", timeout: 120_000 }).status === 0;
  const own = ["-o", `Dir::State::lists=${join(folder, "lists")}`];
  const isThere =
    apt(["download", ...packages]) ||
    (apt([...own, "update"]) && apt([...own, "download", ...packages]));
  if (!isThere) return new Map();
  const found = new Map<string, string>();
  for (const file of readdirSync(folder).filter((file) => file.endsWith(".deb")))
    execFileSync("dpkg", ["-x", file, "root"], { cwd: folder });
  for (const path of readdirSync(join(folder, "root"), { recursive: true, encoding: "utf8" }))
    if (/\.so(\.|$)/.test(path)) found.set(basename(path), join(folder, "root", path));
  return found;
}

/** The newest version of glibc that Node or an addon names: "2.34". */
function neededGlibc(folder: string): string {
  const files = ["bin/node", "build/hearth.node", "addons/dawn.node"];
  const versions = files.flatMap((file) =>
    [...readFileSync(join(folder, file), "latin1").matchAll(/GLIBC_2\.(\d+)/g)].map(([, minor]) =>
      Number(minor),
    ),
  );
  return `2.${Math.max(...versions)}`;
}

function pack(scratch: string, file: string): void {
  const packer = file.endsWith(".xz") ? "xz -6 -T0" : "gzip -6";
  const list = ["-C", scratch, "--owner=0", "--group=0", "-I", packer, "-cf", file, name];
  const { status, stderr } = spawnSync("tar", list, { encoding: "utf8" });
  if (status !== 0) throw new HearthError(`${file} could not be written: ${stderr?.trim()}`);
}
