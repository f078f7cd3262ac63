#!/usr/bin/env node
/**
 * Builds the CPU addon build/hearth.node with nothing but a C++ compiler and the npm package node-api-headers.
 * Each file under native/ is its own unit; its name says which instruction set it may use. Objects: native-objects.mjs.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { compileObjects, run } from "./native-objects.mjs";

const usage = `Usage: node tools/build-native.mjs [--optional] [--test] [--sanitize] [--target PLATFORM] [--bench PROGRAM [ARGUMENTS...]]
  (nothing)     builds build/hearth.node
  --optional    a compiler that is missing or fails is not an error: says so in one line and exits with 0
  --test        builds and runs native/test/*.cc for every instruction set that this machine has
  --sanitize    under AddressSanitizer and UndefinedBehaviorSanitizer: the tests, or build/hearth-sanitize.node
  --target      for another platform, by zig: build/packages/PLATFORM/hearth.node; with --test, builds the tests only
  --bench       builds and runs bench/kernels/PROGRAM_bench.cc (kernels, operators, rows); what follows is passed on
CXX names the compiler; without it the first of c++, g++, clang++.`;

const root = fileURLToPath(new URL("..", import.meta.url));
const nativeDir = join(root, "native");
const buildDir = join(root, "build");

/** Instruction sets by the beginning of a file's name in native/kernels. Files of other machines compile to nothing. */
const x64Flags = {
  avx2: ["-mavx2", "-mfma", "-mf16c", "-mpopcnt"],
  avx512: [
    ..."f bw vl dq vnni vbmi vpopcntdq".split(" ").map((part) => `-mavx512${part}`),
    ..."-mavx2 -mfma -mf16c -mpopcnt".split(" "),
    // GCC 12 takes the undefined pass-through operand of its own intrinsics for a mistake.
    "-Wno-uninitialized",
    "-Wno-maybe-uninitialized",
  ],
};

/**
 * No -ffast-math: it reorders sums and drops NaN. Contraction off: fused multiply-add is written where it is meant,
 * so that results do not depend on the compiler. No errno: sqrt and fma become instructions.
 */
const commonFlags = [
  "-std=c++17",
  "-O3",
  "-fPIC",
  "-fvisibility=hidden",
  "-fno-math-errno",
  "-ffp-contract=off",
  "-Wall",
  "-Wextra",
  // Of vectors as arguments, which are all inlined: no call's ABI is at stake.
  "-Wno-psabi",
];
const sanitizeFlags = [
  // Which compiles in half of the time that -O3 takes.
  "-O1",
  "-g",
  "-fno-omit-frame-pointer",
  "-fsanitize=address,undefined",
  "-fno-sanitize-recover=all",
];

/**
 * Under sanitizers too: products of turned rows are one function for each type and number of tokens, with thousands of accesses,
 * all of which the check for undefined behaviour guards: ten minutes and 3 GB. The check of addresses alone takes one.
 */
const largeUnitFlags = { "avx512-gemm.cc": ["-fno-sanitize=undefined", "-g0"] };

function fail(message) {
  console.error(`build-native: ${message}`);
  process.exit(1);
}

function parseArguments(list) {
  const options = {
    optional: false,
    test: false,
    sanitize: false,
    bench: undefined,
    target: undefined,
  };
  for (let i = 0; i < list.length; i++) {
    const name = list[i];
    if (name === "--bench") {
      options.bench = list.slice(i + 1);
      break;
    }
    if (name === "--target") {
      options.target = list[++i] ?? "";
      continue;
    }
    if (name === "--help") {
      console.log(usage);
      process.exit(0);
    }
    if (!["--optional", "--test", "--sanitize"].includes(name)) {
      console.error(`build-native: unknown argument "${name}"\n${usage}`);
      process.exit(2);
    }
    options[name.slice(2)] = true;
  }
  return options;
}

/** The first compiler that answers --version, with that answer: it belongs to the hash of every object. */
function findCompiler() {
  const candidates = process.env.CXX ? [process.env.CXX] : ["c++", "g++", "clang++"];
  for (const command of candidates) {
    const answer = spawnSync(command, ["--version"], { encoding: "utf8" });
    if (answer.status === 0) return { command, first: [], flags: [], version: answer.stdout };
  }
  return undefined;
}

function compilerOrExit(optional) {
  const compiler = process.platform === "win32" ? undefined : findCompiler();
  if (compiler) return compiler;
  const tried = process.env.CXX ? `CXX=${process.env.CXX}` : "c++, g++, clang++";
  const reason =
    process.platform === "win32"
      ? "building the addon on Windows is not supported (MSVC); npm install brings it as a package"
      : `no C++ compiler found (tried ${tried}); install g++ or clang, or set CXX, then run "node ${fileURLToPath(import.meta.url)}"`;
  if (optional) skip(reason);
  return fail(reason);
}

/** The install goes on without the addon. */
function skip(reason) {
  console.log(
    `hearth-native: skipped: ${reason}. hearth runs on its slow reference backend until then.`,
  );
  process.exit(0);
}

function filesUnder(directory, extension) {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(extension))
    .map((name) => join(directory, name))
    .sort();
}

function flagsFor(source, { cpu, compiler }) {
  const ofKernels = basename(dirname(source)) === "kernels" ? (compiler.kernels ?? []) : [];
  const family = /^(avx2|avx512)[.-]/.exec(basename(source))?.[1];
  if (cpu !== "x64" || family === undefined) return ofKernels;
  return [...ofKernels, ...x64Flags[family], ...(compiler[family] ?? [])];
}

/** Objects of these sources, compiled where they are not there already. */
function compile(sources, build) {
  return compileObjects(sources, {
    ...build,
    flagsFor: (source) => [
      ...flagsFor(source, build),
      ...(build.isSanitized ? (largeUnitFlags[basename(source)] ?? []) : []),
    ],
  });
}

/** `cross`: of tools/packages/cross.mjs, for another platform than this one. */
function createBuild(compiler, sanitize, cross) {
  const api = nodeApi();
  return {
    compiler: { ...compiler, version: `${compiler.version} node-api-headers ${api.version}` },
    root,
    include: [nativeDir],
    objectDir: cross
      ? join(buildDir, "cross", cross.platform.name)
      : join(buildDir, sanitize ? "objects-sanitize" : "objects"),
    cpu: cross?.platform.cpu ?? process.arch,
    isCross: cross !== undefined,
    isSanitized: sanitize,
    programEnding: cross?.platform.os === "win32" ? ".exe" : "",
    link: cross?.link ?? linkFlags(sanitize),
    flags: [
      ...commonFlags,
      ...compiler.flags,
      ...(sanitize ? sanitizeFlags : []),
      `-I${nativeDir}`,
      ...["-DNAPI_VERSION=8", "-isystem", api.include],
    ],
  };
}

function nodeApi() {
  const require = createRequire(import.meta.url);
  const { version } = require("node-api-headers/package.json");
  return { version, include: require("node-api-headers").include_dir };
}

/** Sources of the addon in these folders of native/. */
function sourcesOf(folders) {
  return folders.flatMap((folder) => filesUnder(join(nativeDir, folder), ".cc"));
}

async function buildAddon(build, name) {
  const started = Date.now();
  const folders = readdirSync(nativeDir, { withFileTypes: true });
  const rootSources = folders.filter((entry) => entry.isFile() && entry.name.endsWith(".cc"));
  const sources = [
    ...rootSources.map((entry) => join(nativeDir, entry.name)),
    ...sourcesOf(
      folders.filter((entry) => entry.isDirectory() && entry.name !== "test").map((e) => e.name),
    ),
  ];
  const objects = await compile(sources, build);
  const addon = join(buildDir, name);
  mkdirSync(dirname(addon), { recursive: true });
  await link(objects, build.link, addon, build);
  console.log(
    `hearth-native: built ${relative(root, addon)} in ${((Date.now() - started) / 1000).toFixed(1)} s`,
  );
}

function linkFlags(sanitize) {
  const shared =
    process.platform === "darwin" ? ["-bundle", "-undefined", "dynamic_lookup"] : ["-shared"];
  return [...shared, ...(sanitize ? sanitizeFlags : []), "-pthread"];
}

/** Libraries among the flags come after the objects that want them. */
function link(objects, flags, output, { compiler }) {
  return run(compiler.command, [...compiler.first, "-o", output, ...objects, ...flags]);
}

/** Builds each program with all that needs no Node, and runs it. */
async function runPrograms(sources, list, build) {
  if (sources.length === 0) fail("found no program to run");
  const library = await compile(sourcesOf(["kernels", "runtime", "system"]), build);
  const objects = await compile(sources, build);
  for (const [index, source] of sources.entries()) {
    const program = join(build.objectDir, basename(source, ".cc") + build.programEnding);
    await link([objects[index], ...library], [...build.flags, "-pthread"], program, build);
    if (build.isCross) continue;
    const result = spawnSync(program, list, { stdio: "inherit" });
    if (result.status !== 0)
      fail(`${relative(root, source)} failed (${result.status ?? result.signal})`);
  }
}

function benchSource(name) {
  const sources = filesUnder(join(root, "bench/kernels"), "_bench.cc");
  const known = sources.map((source) => basename(source, "_bench.cc"));
  const at = known.indexOf(name ?? "");
  if (at < 0) fail(`--bench: "${name ?? ""}" is no program; known: ${known.join(", ")}`);
  return sources[at];
}

function commitName() {
  const answer = spawnSync("git", ["describe", "--always", "--dirty"], {
    cwd: root,
    encoding: "utf8",
  });
  return answer.status === 0 ? answer.stdout.trim() : "unknown";
}

/** The cross compiler is the repository's: an installed package does not have it. */
async function crossOf(target) {
  if (target === undefined) return undefined;
  const { crossCompiler } = await import("./packages/cross.mjs");
  return crossCompiler(target, join(buildDir, "cross"));
}

function addonName({ target, sanitize }) {
  if (target !== undefined) return `packages/${target}/hearth.node`;
  return sanitize ? "hearth-sanitize.node" : "hearth.node";
}

const options = parseArguments(process.argv.slice(2));
try {
  const cross = await crossOf(options.target);
  const compiler = cross?.compiler ?? compilerOrExit(options.optional);
  const build = createBuild(compiler, options.sanitize, cross);
  if (options.test) {
    await runPrograms(filesUnder(join(nativeDir, "test"), ".cc"), [], build);
  } else if (options.bench) {
    process.env.HEARTH_COMMIT = commitName();
    const [name, ...rest] = options.bench;
    await runPrograms([benchSource(name)], rest, build);
  } else {
    await buildAddon(build, addonName(options));
  }
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  if (options.optional) skip(message.trim().replaceAll(/\s*\n\s*/g, " "));
  fail(message);
}
