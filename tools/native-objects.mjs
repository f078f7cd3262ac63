/**
 * Objects of the native sources, each kept with a hash of all that it was made of: its source, the headers that the source
 * includes, by which compiler and with which flags. What has not changed is not compiled again, for no platform.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join, relative, resolve } from "node:path";

/**
 * Compiles what is not fresh, as many at a time as there are processors. Returns all objects, in the order of the sources.
 * `root`: paths in hashes begin below it, so that a checkout may be moved. `flagsFor(source)`: of that one alone.
 * `include`: folders that quoted names are looked for in after that of the file.
 * @throws Error for a source that the compiler refuses, or that changed meanwhile.
 */
export async function compileObjects(
  sources,
  { compiler, flags, flagsFor, include, objectDir, root },
) {
  mkdirSync(objectDir, { recursive: true });
  const before = new IncludeReader(include);
  const units = sources.map((source) => {
    const name = relative(root, source).replaceAll(/[/\\]/g, "-");
    const object = join(objectDir, name.replace(/\.cc$/, ".o"));
    const list = [...compiler.first, ...flags, ...flagsFor(source), "-c", source, "-o", object];
    const hashBy = (reader) => {
      const hash = createHash("sha256").update(compiler.version);
      for (const text of [compiler.command, ...list]) hash.update(`${text.replace(root, "")}\0`);
      for (const file of reader.filesOf(source)) {
        hash.update(`${relative(root, file)}\0${reader.read(file).hash}\0`);
      }
      return hash.digest("hex");
    };
    return { source, object, list, hashBy, hash: hashBy(before), stamp: `${object}.sha256` };
  });
  // Those with the most flags are the largest: no long unit is left for the end.
  const queue = units.filter(isStale).sort((a, b) => b.list.length - a.list.length);
  const worker = async () => {
    for (let unit = queue.shift(); unit; unit = queue.shift()) {
      await compileUnit(unit, { compiler, include, root }).catch((error) => {
        queue.length = 0;
        throw error;
      });
    }
  };
  // Each ends what it has begun, also where another failed.
  const endings = await Promise.allSettled(Array.from({ length: availableParallelism() }, worker));
  const failed = endings.find(({ status }) => status === "rejected");
  if (failed) throw failed.reason;
  return units.map((unit) => unit.object);
}

async function compileUnit({ source, list, hashBy, hash, stamp }, { compiler, include, root }) {
  rmSync(stamp, { force: true });
  await run(compiler.command, list);
  // The compiler may have read what was written after the hash was taken.
  if (hashBy(new IncludeReader(include)) !== hash) {
    const name = relative(root, source);
    throw new Error(`${name}, or a header of it, changed while it was compiled; build again`);
  }
  writeFileSync(stamp, hash);
}

function isStale({ object, stamp, hash }) {
  return !existsSync(object) || !existsSync(stamp) || readFileSync(stamp, "utf8") !== hash;
}

/** Follows `#include "name"`, those under conditions too. Systems' headers belong to the compiler's version. */
class IncludeReader {
  #include;
  #files = new Map();

  constructor(include) {
    this.#include = include;
  }

  /** The file and all that it includes, sorted. */
  filesOf(source) {
    const seen = new Set([source]);
    for (const file of seen) {
      for (const name of this.read(file).names) {
        const folders = [dirname(file), ...this.#include];
        const found = folders.map((folder) => resolve(folder, name)).find(existsSync);
        // A name that is nowhere is the compiler's to refuse.
        if (found !== undefined) seen.add(found);
      }
    }
    return [...seen].sort();
  }

  /** The hash of a file's bytes, and the names that it includes. */
  read(file) {
    const known = this.#files.get(file);
    if (known !== undefined) return known;
    const bytes = readFileSync(file);
    const matches = bytes.toString("latin1").matchAll(/^[ \t]*#[ \t]*include[ \t]*"([^"]+)"/gm);
    const read = {
      hash: createHash("sha256").update(bytes).digest("hex"),
      names: [...matches].map(([, name]) => name),
    };
    this.#files.set(file, read);
    return read;
  }
}

/** What the command prints on its standard output. @throws Error with that unless it ends with 0. */
export function run(command, list) {
  return new Promise((resolve, reject) => {
    execFile(command, list, { maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      if (stderr) console.error(stderr.trimEnd());
      if (error)
        reject(new Error(`${command} ended with ${error.code ?? error.signal}\n${stdout}`));
      else resolve(stdout);
    });
  });
}
