/**
 * A release, by one command: dates the changelog's section, builds every package, checks and tries them.
 *   npm run release -- --dry-run     all of it; npm publishes nothing, and the checkout stays as it is
 *   npm run release                  and publishes, in the order in which packages name each other; then writes CHANGELOG.md
 * One that was interrupted is begun again: what is published already stays.
 */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { packagePath } from "../src/core/package-root.ts";
import { replaceFile } from "../src/io/replace-file.ts";
import { buildAddons } from "./packages/build-addons.ts";
import { datedChangelog } from "./packages/changelog.ts";
import { problemsOf } from "./packages/check.ts";
import { packedTable, trialTable } from "./packages/packed-table.ts";
import { platforms } from "./packages/platforms.ts";
import { smokeAll } from "./packages/smoke.ts";
import {
  type PackedPackage,
  packagesFolder,
  readManifest,
  stagePackages,
} from "./packages/stage.ts";
import { tryInstalls } from "./packages/try-install.ts";

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
  const own = readManifest(packagePath("."));
  const written = readFileSync(packagePath("CHANGELOG.md"), "utf8");
  const changelog = datedChangelog(written, own.version, new Date());
  buildAddons(platforms.map(({ name }) => name));
  const packed = await stagePackages(own, { changelog: changelog.text });
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
  const refused = isDry ? tryPublishing(packed) : publish(packed);
  if (refused.length > 0) return fail(refused);
  if (isDry) {
    const place = join(packagesFolder, "section.md");
    writeFileSync(place, changelog.section);
    console.log(`release: would be published; the section of CHANGELOG.md is ${place}`);
    return 0;
  }
  await replaceFile(packagePath("CHANGELOG.md"), (file) => file.writeFile(changelog.text));
  console.log(`release: published; commit CHANGELOG.md, and tag it v${own.version}`);
  return 0;
}

function fail(problems: readonly string[]): number {
  for (const problem of problems) console.error(`release: ${problem}`);
  return 1;
}

function output(command: string, list: readonly string[]): string {
  return spawnSync(command, list, { cwd: packagePath("."), encoding: "utf8" }).stdout.trim();
}

/** What npm itself would refuse or change, as sentences. */
function tryPublishing(packed: readonly PackedPackage[]): readonly string[] {
  return packed.flatMap((one) => npmPublish(one, ["--dry-run"]));
}

/** Provenance needs a workflow that npm trusts: elsewhere npm itself refuses. After the first problem the rest is not tried. */
function publish(packed: readonly PackedPackage[]): readonly string[] {
  for (const one of packed) {
    const name = `${one.manifest.name}@${one.manifest.version}`;
    const isThere = output("npm", ["view", name, "version"]) !== "";
    const problems = isThere ? [] : npmPublish(one, []);
    if (problems.length > 0) return problems;
    console.log(isThere ? `${name} is published already` : `published ${name}`);
  }
  return [];
}

function npmPublish({ tarball, manifest }: PackedPackage, flags: readonly string[]): string[] {
  const list = ["publish", tarball, "--ignore-scripts", "--loglevel=warn", ...flags];
  const { status, stderr } = spawnSync("npm", list, { encoding: "utf8" });
  // Of a package.json that npm would change without asking.
  const isWell = status === 0 && !/auto-corrected/.test(stderr);
  return isWell ? [] : [`npm publish of ${manifest.name}: ${stderr.trim()}`];
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.exitCode = fail([error instanceof Error ? error.message : String(error)]);
}
