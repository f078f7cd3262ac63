/**
 * Builds the page into dist/page, flat: index.html is answered at `/`, all other files below `/page/`. Two things are made
 * from what the bundle turned out to be: the service worker's list of files, and the licences of the libraries inside.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig, type Plugin, type UserConfig } from "vite";

const root = import.meta.dirname;
const worker = "service-worker.js";

/** `__FILES__` and `__VERSION__` in the service worker: what it keeps, and a name for that. */
function listFiles(): Plugin {
  return {
    name: "hearth-list-files",
    enforce: "post",
    generateBundle(_, bundle) {
      const own = Object.keys(bundle).filter(
        (name) => !/^(index\.html|service-worker\.js)$/.test(name),
      );
      const names = [...own, ...readdirSync(join(root, "public"))].toSorted();
      const version = createHash("sha256").update(names.join()).digest("hex").slice(0, 12);
      const chunk = bundle[worker];
      if (chunk?.type !== "chunk") throw new Error(`the bundle has no ${worker}`);
      chunk.code = chunk.code
        .replaceAll("__FILES__", JSON.stringify(names))
        .replaceAll("__VERSION__", JSON.stringify(version));
    },
  };
}

/** licenses.txt: each library with its licence, as those demand. */
function collectLicences(): Plugin {
  return {
    name: "hearth-collect-licences",
    generateBundle() {
      const folders = [...this.getModuleIds()].flatMap(
        (id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(id)?.[0] ?? [],
      );
      const texts = [...new Set(folders)].toSorted().map((folder) => {
        const name = folder.replace(/^.*\/node_modules\//, "");
        const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
        if (file === undefined) throw new Error(`${name}, which is in the page, has no licence`);
        return `${name}\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
      });
      this.emitFile({ type: "asset", fileName: "licenses.txt", source: texts.join("\n---\n\n") });
    },
  };
}

const config: UserConfig = defineConfig({
  root,
  base: "./",
  logLevel: "warn",
  publicDir: join(root, "public"),
  plugins: [collectLicences(), listFiles()],
  experimental: {
    renderBuiltUrl: (name, { hostType }) =>
      hostType === "html" ? `page/${name}` : { relative: true },
  },
  build: {
    outDir: join(root, "../dist/page"),
    emptyOutDir: true,
    target: "es2023",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    rolldownOptions: {
      input: {
        index: join(root, "index.html"),
        "service-worker": join(root, "src/service-worker.ts"),
      },
      output: {
        entryFileNames: ({ name }) => (name === "service-worker" ? worker : "[name]-[hash:8].js"),
        chunkFileNames: "[name]-[hash:8].js",
        assetFileNames: "[name]-[hash:8][extname]",
      },
    },
  },
});

export default config;
