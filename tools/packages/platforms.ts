/** The systems that hearth has a package for: platforms.json, which tools/build-native.mjs reads too. */
import { readFileSync } from "node:fs";
import { packagePath } from "../../src/core/package-root.ts";

export interface Platform {
  /** Of the package, in the scope: "linux-x64-gnu". */
  readonly name: string;
  /** As Node and package managers call them. */
  readonly os: string;
  readonly cpu: string;
  readonly libc?: string;
  /** As zig calls it, with the oldest system that the addon asks for. */
  readonly target: string;
  /** How far it was ever run: the words of README's table. */
  readonly proof: string;
}

export const scope = "@hearth-llm";

export const platforms: readonly Platform[] = JSON.parse(
  readFileSync(packagePath("tools/packages/platforms.json"), "utf8"),
);

/** What a person must have: the words of README's table. */
export function oldestSystem({ target, os, libc }: Platform): string {
  const [, version = ""] = /\.(\d+\.\d+)$/.exec(target) ?? [];
  if (os === "darwin") return `macOS ${version}`;
  if (os === "win32") return "Windows 10";
  return libc === "musl" ? "musl 1.2" : `glibc ${version}`;
}
