/**
 * Before all tests: the package as it is published (tools/packages/bundle.ts) is laid out from dist, once for each build of it.
 * Tests that start the command start that one: it is what users have, and starts in half of the time.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { bundleModules } from "../tools/packages/bundle.ts";
import { packaged } from "./fixtures/packaged.ts";

const root = resolve(import.meta.dirname, "..");
const dist = join(root, "dist");

export async function setup(): Promise<void> {
  // Tests that need it say so.
  if (!existsSync(join(dist, "cli/start.js"))) return;
  const stamp = join(packaged, "made-of");
  const built = newest(dist);
  if (existsSync(stamp) && statSync(stamp).mtimeMs >= built) return;
  const made = `${packaged}-${process.pid}`;
  rmSync(made, { recursive: true, force: true });
  mkdirSync(join(made, "build"), { recursive: true });
  for (const name of ["bin", "package.json"])
    cpSync(join(root, name), join(made, name), { recursive: true });
  symlinkSync(join(root, "models"), join(made, "models"), "junction");
  symlinkSync(join(root, "build/hearth.node"), join(made, "build/hearth.node"));
  await bundleModules(dist, join(made, "dist"));
  cpSync(join(dist, "page"), join(made, "dist/page"), { recursive: true });
  writeFileSync(join(made, "made-of"), "dist");
  rmSync(packaged, { recursive: true, force: true });
  renameSync(made, packaged);
}

/** When the last of the files inside was written, in milliseconds since 1970. */
function newest(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true });
  return Math.max(
    ...files
      .filter((one) => one.isFile())
      .map(({ parentPath, name }) => statSync(join(parentPath, name)).mtimeMs),
  );
}
