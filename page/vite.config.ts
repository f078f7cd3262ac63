/**
 * Builds the page into dist/page, flat: index.html is answered at `/`, all other files below `/page/`. Two things are made
 * from what the bundle turned out to be: the service worker's list of files, and the licences of the libraries inside.
 */
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { defineConfig, type Plugin, type UserConfig } from "vite";
import { collectLicences } from "./collect-licences.ts";

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
