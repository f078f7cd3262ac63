/**
 * A software Vulkan driver without root: unpacks SwiftShader and a Vulkan loader out of the dev dependency
 * @sparticuz/chromium (MIT; bin/swiftshader.tar.br) into node_modules/.cache and says which environment finds them.
 * The loader reads that environment when a process starts, so it must be set before: run this file to print it.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync } from "node:zlib";

const repository = dirname(dirname(fileURLToPath(import.meta.url)));
const icdFile = "vk_swiftshader_icd.json";
const wanted = new Set(["libvk_swiftshader.so", "libvulkan.so.1", icdFile]);

/**
 * Environment under which a new process finds a Vulkan driver, or the reason why there is none.
 * A caller who has set VK_ICD_FILENAMES or VK_DRIVER_FILES has chosen a driver: it stays.
 * @returns {{kind: "system", reason: string} | {kind: "unpacked", env: Record<string, string>} | {kind: "none", reason: string}}
 */
export function softwareVulkan(environment = process.env) {
  for (const name of ["VK_ICD_FILENAMES", "VK_DRIVER_FILES"])
    if (environment[name]) return { kind: "system", reason: `${name} is set` };
  if (process.platform !== "linux" || process.arch !== "x64")
    return { kind: "none", reason: `no SwiftShader for ${process.platform}-${process.arch}` };
  const archive = findArchive();
  if (archive === undefined)
    return { kind: "none", reason: "the dev dependency @sparticuz/chromium is not installed" };
  const folder = unpackOnce(archive);
  const inherited = environment["LD_LIBRARY_PATH"];
  return {
    kind: "unpacked",
    env: {
      LD_LIBRARY_PATH: inherited ? `${folder}:${inherited}` : folder,
      VK_ICD_FILENAMES: join(folder, icdFile),
    },
  };
}

function findArchive() {
  try {
    const entry = createRequire(import.meta.url).resolve("@sparticuz/chromium");
    const packageFolder = entry.slice(0, entry.lastIndexOf("chromium") + "chromium".length);
    const archive = join(packageFolder, "bin", "swiftshader.tar.br");
    return existsSync(archive) ? archive : undefined;
  } catch {
    return undefined;
  }
}

/** Unpacks beside and renames, so that two processes that start together never see half a driver. */
function unpackOnce(archive) {
  const folder = join(repository, "node_modules", ".cache", "swiftshader");
  if (existsSync(join(folder, icdFile))) return folder;
  const fresh = `${folder}.${process.pid}`;
  mkdirSync(fresh, { recursive: true });
  for (const file of tarFiles(brotliDecompressSync(readFileSync(archive))))
    if (wanted.has(file.name)) writeFileSync(join(fresh, file.name), file.data, { mode: 0o755 });
  try {
    renameSync(fresh, folder);
  } catch (error) {
    rmSync(fresh, { recursive: true });
    if (!existsSync(join(folder, icdFile))) throw error;
  }
  return folder;
}

/** Plain files of a tar archive. Header: name at byte 0, octal size at 124, type at 156 (POSIX ustar). */
function* tarFiles(tar) {
  let at = 0;
  while (at + 512 <= tar.length && tar[at] !== 0) {
    const text = (from, to) => tar.toString("latin1", at + from, at + to).replace(/\0.*$/s, "");
    const size = Number.parseInt(text(124, 136), 8);
    const isFile = text(156, 157) === "0" || text(156, 157) === "";
    const data = tar.subarray(at + 512, at + 512 + size);
    if (isFile) yield { name: basename(text(0, 100)), data };
    at += 512 + Math.ceil(size / 512) * 512;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found = softwareVulkan();
  if (found.kind === "unpacked")
    for (const [name, value] of Object.entries(found.env)) console.log(`export ${name}='${value}'`);
  else console.error(`# ${found.reason}`);
}

/** Vitest's global setup: the forks that run the tests inherit this environment when they start. */
export function setup() {
  const found = softwareVulkan();
  if (found.kind === "unpacked") Object.assign(process.env, found.env);
}
