/** Builds what `hearth plan --html` puts into its file: one script and one style sheet, in dist/plan-page. */
import { join } from "node:path";
import { defineConfig, type UserConfig } from "vite";
import { collectLicences } from "./collect-licences.ts";

const root = import.meta.dirname;

const config: UserConfig = defineConfig({
  root,
  logLevel: "warn",
  publicDir: false,
  plugins: [collectLicences()],
  build: {
    outDir: join(root, "../dist/plan-page"),
    emptyOutDir: true,
    target: "es2023",
    modulePreload: false,
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    rolldownOptions: {
      input: join(root, "src/plan-file.tsx"),
      output: { entryFileNames: "plan.js", assetFileNames: "plan[extname]", codeSplitting: false },
    },
  },
});

export default config;
