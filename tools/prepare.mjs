/**
 * Runs after `npm install` in a checkout, and before `npm pack`: compiles the TypeScript, gives its types to CommonJS
 * too, and builds the page. The addon is built by the package's install script. Where there is no TypeScript, in an installed package, dist
 * is there already.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const isThere = (path) => existsSync(`${root}/node_modules/${path}`);

if (isThere("typescript")) {
  if (!isThere(`@typescript/typescript-${process.platform}-${process.arch}`)) {
    console.error(
      "prepare: TypeScript came without its compiler, an optional package: install without --omit=optional",
    );
    process.exit(1);
  }
  const tsc = `${root}/node_modules/typescript/bin/tsc`;
  const { status } = spawnSync(process.execPath, [tsc, "-p", "tsconfig.build.json"], {
    cwd: root,
    stdio: "inherit",
  });
  if (status !== 0) process.exit(status ?? 1);
  await import("./commonjs-types.mjs");
  const { build } = await import("vite");
  await build({ configFile: `${root}/page/vite.config.ts` });
}
