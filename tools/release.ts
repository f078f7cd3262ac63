/**
 * A release, by one command: builds every package, checks and tries them, and dates the changelog's section.
 *   npm run release -- --dry-run     all of it but publishing
 *   npm run release                  and publishes, in the order in which packages name each other
 */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { packagePath } from "../src/core/package-root.ts";
import { replaceFile } from "../src/io/replace-file.ts";
import { table } from "./features/table.ts";
import { buildAddons } from "./packages/build-addons.ts";
import { datedChangelog } from "./packages/changelog.ts";
import { problemsOf } from "./packages/check.ts";
import { platforms } from "./packages/platforms.ts";
import { smokeAll } from "./packages/smoke.ts";
import {
  type PackedPackage,
  packagesFolder,
  readManifest,
  stagePackages,
} from "./packages/stage.ts";
import { type Trial, tryInstalls } from "./packages/try-install.ts";

const usage = "usage: npm run release -- [--dry-run]";

async function main(flags: readonly string[]): Promise<number> {
  if (flags.some((flag) => flag !== "--dry-run")) {
    console.error(usage);
    return 2;
  }
  const isDry = flags.includes("--dry-run");
  if (!isDry && output("git", ["status", "--porcelain"]) !== "") {
    return fail(["the checkout has changes that are not committed"]);
  }
  buildAddons(platforms.map(({ name }) => name));
  const own = readManifest(packagePath("."));
  const packed = await stagePackages(own);
  console.log(packedTable(packed));
  const problems = problemsOf(packed, own);
  if (problems.length > 0) return fail(problems);
  const trials = await tryInstalls(packed);
  console.log(trialTable(trials));
  const failures = trials.flatMap(({ manager, problems }) =>
    problems.map((problem) => `${manager}: ${problem}`),
  );
  if (failures.length > 0) return fail(failures);
  for (const line of await smokeAll(packed)) console.log(line);
  const changelog = datedChangelog(
    readFileSync(packagePath("CHANGELOG.md"), "utf8"),
    own.version,
    new Date(),
  );
  if (isDry) {
    writeFileSync(join(packagesFolder, "section.md"), changelog.section);
    console.log(`the section of CHANGELOG.md: ${join(packagesFolder, "section.md")}`);
    return 0;
  }
  await replaceFile(packagePath("CHANGELOG.md"), (file) => file.writeFile(changelog.text));
  return publish(packed);
}

function fail(problems: readonly string[]): number {
  for (const problem of problems) console.error(`release: ${problem}`);
  return 1;
}

function output(command: string, list: readonly string[]): string {
  return spawnSync(command, list, { cwd: packagePath("."), encoding: "utf8" }).stdout.trim();
}

/** Provenance needs a workflow that npm trusts: elsewhere npm itself refuses. */
function publish(packed: readonly PackedPackage[]): number {
  for (const { tarball, manifest } of packed) {
    if (output("npm", ["view", `${manifest.name}@${manifest.version}`, "version"]) !== "") {
      console.log(`${manifest.name} ${manifest.version} is published already`);
      continue;
    }
    const { status } = spawnSync("npm", ["publish", tarball], { stdio: "inherit" });
    if (status !== 0) return fail([`npm did not publish ${manifest.name}`]);
  }
  return 0;
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);

function packedTable(packed: readonly PackedPackage[]): string {
  return table(
    ["package", "version", "packed, MB", "unpacked, MB", "licence"],
    packed.map(({ manifest, packedBytes, unpackedBytes }) => [
      manifest.name,
      manifest.version,
      megabytes(packedBytes),
      megabytes(unpackedBytes),
      String(manifest["license"]),
    ]),
  );
}

function trialTable(trials: readonly Trial[]): string {
  return table(
    ["by", "MB", "MB with GPU", "--version, ms", "first token, ms", "of our scope"],
    trials.map(({ manager, bytes, bytesWithGpu, milliseconds, packages }) => [
      manager,
      megabytes(bytes),
      megabytes(bytesWithGpu),
      milliseconds.version.toFixed(0),
      milliseconds.firstToken.toFixed(0),
      packages.join(", "),
    ]),
  );
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.exitCode = fail([error instanceof Error ? error.message : String(error)]);
}
