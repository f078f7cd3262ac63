/**
 * Compiles the addon for every system that hearth has a package for, on this one machine, one after the other:
 *   npm run build:packages [-- PLATFORM...]
 * Needs Python with pip, which brings zig, or ZIG, which names its program. Results: build/packages/PLATFORM/hearth.node.
 */
import { buildAddons } from "./packages/build-addons.ts";
import { platforms } from "./packages/platforms.ts";

const names = process.argv.slice(2);
const known = platforms.map(({ name }) => name);
const unknown = names.find((name) => !known.includes(name));
if (unknown === undefined) buildAddons(names.length === 0 ? known : names);
else {
  console.error(`build:packages: unknown platform "${unknown}"; known: ${known.join(", ")}`);
  process.exitCode = 2;
}
