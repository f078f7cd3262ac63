/**
 * How tools/build-native.mjs compiles for another platform: by zig, which brings a clang, its C++ library and every
 * platform's C library. Names of platforms: platforms.json. zig itself: zig.txt, or the program that ZIG names.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));

/** `target` is zig's name of it, with the oldest system that its addon asks for. */
export const platforms = JSON.parse(readFileSync(join(here, "platforms.json"), "utf8"));

/**
 * The compiler of a platform, and how the addon is linked for it. `folder`: for zig and what it keeps.
 * @throws Error for an unknown platform, or where zig cannot be had.
 */
export function crossCompiler(name, folder) {
  const platform = platforms.find((one) => one.name === name);
  if (platform === undefined) {
    const known = platforms.map((one) => one.name).join(", ");
    throw new Error(`--target: "${name}" is no platform; known: ${known}`);
  }
  const zig = findZig(folder);
  mkdirSync(folder, { recursive: true });
  process.env.ZIG_GLOBAL_CACHE_DIR ??= join(folder, "zig-cache");
  process.env.ZIG_LOCAL_CACHE_DIR ??= join(folder, "zig-cache");
  const { stdout } = spawnSync(zig, ["version"], { encoding: "utf8" });
  const compiler = {
    command: zig,
    first: ["c++", "-target", platform.target, "-mcpu=baseline"],
    // GCC's warnings that clang does not know.
    flags: ["-Wno-unknown-warning-option"],
    // zig makes -O2 of -O3, which costs most kernels 1 to 2 % (docs/measurements/packages.md).
    kernels: ["-Xclang", "-O3"],
    // zig switches off by name what its baseline lacks: registers of 512 bits have a switch of their own in clang.
    avx512: ["-mevex512"],
    version: `zig ${stdout.trim()} ${platform.target}`,
  };
  return { platform, compiler, link: linkFlags(platform, zig, folder) };
}

/** @throws Error where there is no zig and pip does not bring it. */
function findZig(folder) {
  if (process.env.ZIG) return process.env.ZIG;
  const installed = join(folder, "zig");
  const zig = join(installed, "ziglang", process.platform === "win32" ? "zig.exe" : "zig");
  if (existsSync(zig)) return zig;
  console.log(`build-native: installing zig into ${installed}`);
  const list = ["-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--target"];
  const pip = spawnSync("python3", [...list, installed, "-r", join(here, "zig.txt")], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (pip.status === 0 && existsSync(zig)) return zig;
  throw new Error(
    "zig is not there, and Python's pip did not bring it; set ZIG to the zig program of tools/packages/zig.txt",
  );
}

/** Only what Node looks for is exported: what is left of the C++ library inside must not meet that of the process. */
function linkFlags(platform, zig, folder) {
  if (platform.os === "darwin") {
    // Its name in the library would be the path that it was built at.
    const name = "-Wl,-install_name,@rpath/hearth.node";
    return ["-dynamiclib", "-undefined", "dynamic_lookup", name, "-s"];
  }
  if (platform.os === "win32") return ["-shared", "-s", importLibrary(platform, zig, folder)];
  const script = join(folder, "exports.map");
  writeFileSync(script, "{ global: napi_register_module_v1; node_api_module_*; local: *; };\n");
  return ["-shared", "-s", "-pthread", `-Wl,--version-script=${script}`];
}

/** Windows links a library's calls to the program that exports them: Node-API is node.exe's. */
function importLibrary(platform, zig, folder) {
  const headers = createRequire(import.meta.url)("node-api-headers");
  const definitions = join(headers.def_paths.js_native_api_def, "..");
  const names = readdirSync(definitions).flatMap((file) =>
    readFileSync(join(definitions, file), "utf8")
      .split(/\r?\n/)
      .filter((line) => /^(napi|node_api)_\w+$/.test(line)),
  );
  const library = join(folder, `node-${platform.cpu}.lib`);
  const definition = join(folder, "node.def");
  writeFileSync(
    definition,
    `LIBRARY node.exe\nEXPORTS\n${[...new Set(names)].sort().join("\n")}\n`,
  );
  const machine = platform.cpu === "arm64" ? "arm64" : "i386:x86-64";
  const list = ["dlltool", "-m", machine, "-d", definition, "-l", library, "-D", "node.exe"];
  const { status, stderr } = spawnSync(zig, list, { encoding: "utf8" });
  if (status !== 0) throw new Error(`zig dlltool: ${stderr}`);
  return library;
}
