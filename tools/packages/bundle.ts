/**
 * The modules of the published package: hundreds of dist, and those of the libraries that they use, in a few files. Node
 * reads them in a third of the time, and no package manager has libraries to resolve. Names stay whole, for stack traces.
 */
import { cpSync, existsSync, readdirSync, writeFileSync } from "node:fs";
import { builtinModules, isBuiltin } from "node:module";
import { join } from "node:path";
import { type OutputChunk, rolldown } from "rolldown";
import { esmExternalRequirePlugin } from "rolldown/plugins";
import { inlinedPackages, licencesText } from "./licences.ts";

/** Found as packages where hearth runs: those of the GPU are optional. */
const optionalPackages = ["webgpu", "@hearth-llm/gpu"];

/** It tells where the package lies, and so it stays a file (src/core/package-root.ts). */
const ownPlace = "core/own-place.js";

/** What libraries of CommonJS require of Node becomes an import: the helper that makes a `require` would be in browsers' bundles. */
const builtins = builtinModules.flatMap((name) => [name, `node:${name}`]);

/** Modules that a thread or a process of its own begins with; knip.jsonc names the same. Those of the page have no types beside them. */
const threads = /(?:^|[/\\-])worker\.js$/;
const entries = ["index", "server/server", "browser/tokenizer", "browser/gguf", "cli/start"];

/**
 * Bundles what `from` (dist) has into `to`, where entries and threads keep their names; the rest lies in chunks. Licences of
 * the libraries inside: `to`/LICENSES.txt. @throws Error where a module is asked for that will not be there, or a library has
 * no licence.
 */
export async function bundleModules(from: string, to: string): Promise<void> {
  const names = readdirSync(from, { recursive: true, encoding: "utf8" })
    .filter((path) => threads.test(path))
    .map((path) => path.replaceAll("\\", "/").replace(/\.js$/, ""))
    .filter((name) => existsSync(join(from, `${name}.d.ts`)));
  const input = Object.fromEntries(
    [...entries, ...names].map((name) => [name, join(from, `${name}.js`)]),
  );
  const built = await rolldown({
    input,
    platform: "node",
    // Of CommonJS, asked for where there is no require.
    transform: { define: { "require.cache": "undefined", "require.main": "undefined" } },
    external: (id) => id.endsWith(ownPlace) || optionalPackages.includes(id),
    plugins: [
      esmExternalRequirePlugin({ external: builtins }),
      {
        name: "helpers without Node",
        // Rolldown's helpers, which browsers' modules use too, import it even where nothing of it is used.
        generateBundle: (_, bundle) => {
          for (const one of Object.values(bundle)) {
            if (one.type === "chunk") one.code = one.code.replace(/^import "node:module";\n/, "");
          }
        },
      },
    ],
    onLog: (_, { message }) => {
      throw new Error(message);
    },
  });
  const { output } = await built.write({
    dir: to,
    format: "es",
    entryFileNames: "[name].js",
    chunkFileNames: "chunks/[name]-[hash].js",
    polyfillRequire: false,
    comments: { legal: true, annotation: true, jsdoc: false },
  });
  await built.close();
  cpSync(join(from, ownPlace), join(to, ownPlace));
  const chunks = output.filter((one) => one.type === "chunk");
  requireWhole(chunks, to);
  const modules = chunks.flatMap(({ moduleIds }) => moduleIds);
  writeFileSync(join(to, "LICENSES.txt"), licencesText(inlinedPackages(modules)));
}

function requireWhole(chunks: readonly OutputChunk[], to: string): void {
  for (const { fileName, imports, dynamicImports } of chunks) {
    const missing = [...imports, ...dynamicImports].find(
      (name) => !isBuiltin(name) && !optionalPackages.includes(name) && !existsSync(join(to, name)),
    );
    if (missing !== undefined)
      throw new Error(`${fileName} imports ${missing}, which will not be there`);
  }
}
