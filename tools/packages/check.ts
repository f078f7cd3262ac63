/** What must hold of the packages of a release before they are tried: each problem is a sentence. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packagePath } from "../../src/core/package-root.ts";
import type { Manifest } from "./manifests.ts";
import { type Platform, platforms, scope } from "./platforms.ts";
import type { PackedPackage } from "./stage.ts";

/** Of one packed addon: twice what the largest takes today, so that a debug build is noticed. */
const maxAddonBytes = 6 << 20;
/** The main package, unpacked: docs, sources and the bundled model in it. */
const maxMainBytes = 40 << 20;

/** `own`: the repository's package.json. */
export function problemsOf(packed: readonly PackedPackage[], own: Manifest): readonly string[] {
  return [
    ...packed.flatMap((one) => problemsOfPackage(one, own)),
    ...packed.flatMap((one) => missingParts(one, packed)),
    ...platforms.flatMap((platform) => problemsOfAddon(platform, packed)),
  ];
}

function problemsOfPackage(
  { manifest, files, unpackedBytes }: PackedPackage,
  own: Manifest,
): readonly string[] {
  const { name, version } = manifest;
  const publish = JSON.stringify(manifest["publishConfig"]);
  const limit = name === own.name ? maxMainBytes : Number.POSITIVE_INFINITY;
  const claims: readonly [boolean, string][] = [
    [/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version), `its version is "${version}"`],
    [typeof manifest["license"] === "string", "it names no licence"],
    [files.some((file) => /^LICENSE/.test(file)), "it has no file LICENSE"],
    [publish === '{"access":"public","provenance":true}', `publishConfig is ${publish}`],
    [
      JSON.stringify(manifest["repository"]) === JSON.stringify(own["repository"]),
      "its repository is not ours, which provenance asks for",
    ],
    [manifest["scripts"] === undefined, "it runs scripts where it is installed"],
    [unpackedBytes <= limit, `it takes ${unpackedBytes} bytes, at most ${limit} are expected`],
  ];
  return claims.filter(([holds]) => !holds).map(([, problem]) => `${name}: ${problem}`);
}

/** Packages of ours that one names must be there in that very version. */
function missingParts(
  { manifest }: PackedPackage,
  all: readonly PackedPackage[],
): readonly string[] {
  const named = {
    ...record(manifest["optionalDependencies"]),
    ...record(manifest["peerDependencies"]),
  };
  return Object.entries(named)
    .filter(([name]) => name.startsWith(`${scope}/`))
    .filter(([name, version]) => !all.some((one) => isPackage(one.manifest, name, version)))
    .map(([name, version]) => `${manifest.name}: it wants ${name}@${version}, which is not packed`);
}

function isPackage(manifest: Manifest, name: string, version: unknown): boolean {
  return manifest.name === name && manifest.version === version;
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function problemsOfAddon(platform: Platform, all: readonly PackedPackage[]): readonly string[] {
  const packed = all.find(({ manifest }) => manifest.name === `${scope}/${platform.name}`);
  if (packed === undefined) return [`${platform.name}: it is not packed`];
  const bytes = readFileSync(join(packed.folder, "hearth.node"));
  const found = binaryOf(bytes);
  const wanted = `${platform.os} ${platform.cpu}`;
  const problems = found === wanted ? [] : [`it is made for ${found}, not ${wanted}`];
  if (bytes.includes(packagePath("."))) problems.push("it names the folder that it was built in");
  if (bytes.length > maxAddonBytes) problems.push(`it takes ${bytes.length} bytes`);
  if (platform.libc === "glibc") problems.push(...tooNewFor(bytes, platform));
  return problems.map((problem) => `${platform.name}/hearth.node: ${problem}`);
}

/** By the first bytes: ELF's e_machine, Mach-O's cputype, the PE header's Machine. */
export function binaryOf(bytes: Buffer): string {
  if (bytes.length < 64) return "nothing";
  if (bytes.readUInt32BE(0) === 0x7f454c46) {
    return `linux ${{ 62: "x64", 183: "arm64" }[bytes.readUInt16LE(18)] ?? "?"}`;
  }
  if (bytes.readUInt32LE(0) === 0xfeedfacf) {
    return `darwin ${{ 16777223: "x64", 16777228: "arm64" }[bytes.readUInt32LE(4)] ?? "?"}`;
  }
  const header = bytes.toString("latin1", 0, 2) === "MZ" ? bytes.readUInt32LE(60) : bytes.length;
  if (bytes.toString("latin1", header, header + 4) !== "PE\0\0") return "no system that is known";
  return `win32 ${{ 34404: "x64", 43620: "arm64" }[bytes.readUInt16LE(header + 4)] ?? "?"}`;
}

/** Versions of glibc's symbols, and the C++ library of the system, which an old system has too old. */
export function tooNewFor(bytes: Buffer, { target }: Pick<Platform, "target">): readonly string[] {
  const text = bytes.toString("latin1");
  const [, floor = "0"] = /gnu\.2\.(\d+)$/.exec(target) ?? [];
  const asked = [...text.matchAll(/\0GLIBC_2\.(\d+)(?=[.\0])/g)].map(([, minor]) => Number(minor));
  const newest = Math.max(0, ...asked);
  return [
    ...(asked.length === 0 ? ["it names no version of glibc: is it stripped of them?"] : []),
    ...(newest > Number(floor) ? [`it asks for glibc 2.${newest}, at most 2.${floor}`] : []),
    ...(/\0libstdc\+\+\.so/.test(text) ? ["it asks for the system's libstdc++"] : []),
  ];
}
