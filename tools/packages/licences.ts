/** The libraries whose code lies inside the published package's own files, and their licences, which go with the code. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

interface Inlined {
  readonly folder: string;
  readonly name: string;
  readonly version: string;
  /** SPDX's name of it. */
  readonly license: string;
  /** Of its files LICENSE, NOTICE and the like: two libraries of a hundred have none. */
  readonly texts: readonly string[];
}

/** What asks for no more than to be named. */
const permissive = /^(?:MIT|ISC|0BSD|Apache-2\.0|BSD-[23]-Clause|BlueOak-1\.0\.0)$/;

/** `modules`: paths of files. Those of one library, in one version, give one entry. */
export function inlinedPackages(modules: readonly string[]): readonly Inlined[] {
  const folders = modules.flatMap((path) => {
    const [folder] = /^.*[/\\]node_modules[/\\](?:@[^/\\]+[/\\])?[^/\\]+/.exec(path) ?? [];
    return folder === undefined ? [] : [folder];
  });
  return [...new Set(folders)].sort().map(readPackage);
}

function readPackage(folder: string): Inlined {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const files = readdirSync(folder).filter((file) => /^(?:licen[cs]e|notice|copying)/i.test(file));
  const texts = files.sort().map((file) => readFileSync(join(folder, file), "utf8").trim());
  return { folder, name, version, license, texts };
}

/** @throws Error for a licence that no one has judged yet. */
export function licencesText(libraries: readonly Inlined[]): string {
  const unknown = libraries.find(({ license }) => !permissive.test(license));
  if (unknown !== undefined) {
    throw new Error(`${unknown.folder} has the licence "${unknown.license}", which is not judged`);
  }
  const sections = libraries.map(({ name, version, license, texts }) =>
    [`${name} ${version}: ${license}`, ...texts].join("\n\n"),
  );
  const head = "Code of these libraries lies in the files beside this one.";
  return `${[head, ...sections].join(`\n\n${"-".repeat(80)}\n\n`)}\n`;
}
