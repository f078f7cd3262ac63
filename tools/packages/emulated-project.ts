/** hearth-llm as npm installs it for another system, in a folder of its own, run there by an emulator. */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packagePath } from "../../src/core/package-root.ts";
import { type Emulator, quiet } from "./emulators.ts";
import { scope } from "./platforms.ts";
import { run } from "./run.ts";
import { serveScope } from "./scope-registry.ts";
import type { PackedPackage } from "./stage.ts";

export class EmulatedProject implements Disposable {
  readonly folder: string;
  readonly #emulator: Emulator;
  readonly #node: string;

  private constructor(emulator: Emulator, folder: string, node: string) {
    this.#emulator = emulator;
    this.folder = folder;
    this.#node = node;
  }

  static async create(
    emulator: Emulator,
    packed: readonly PackedPackage[],
  ): Promise<EmulatedProject> {
    await using registry = await serveScope(packed);
    const main = packed.find(({ manifest }) => manifest.name === "hearth-llm");
    const folder = mkdtempSync(join(tmpdir(), "hearth-emulated-"));
    const node = await nodeOf(emulator);
    writeFileSync(join(folder, "package.json"), '{ "private": true }');
    writeFileSync(join(folder, ".npmrc"), `${scope}:registry=${registry.url}\n`);
    const list = ["install", ...quiet, ...emulator.system, main?.tarball ?? "hearth-llm"];
    await run("npm", list, { cwd: folder });
    return new EmulatedProject(emulator, folder, node);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
  }

  hearth(...list: readonly string[]): Promise<string> {
    return this.node("node_modules/hearth-llm/bin/hearth.cjs", ...list);
  }

  node(...list: readonly string[]): Promise<string> {
    return this.#emulator.run(this.#node, list, this.folder);
  }

  /** The golden answers of the bundled model: the repository's, computed by PyTorch. */
  async goldens(): Promise<string> {
    copyFileSync(packagePath("tools/packages/golden.mjs"), join(this.folder, "golden.mjs"));
    copyFileSync(packagePath("test/golden/default.json"), join(this.folder, "golden.json"));
    return this.node("golden.mjs");
  }
}

/** Kept for the next time: 70 to 150 MB. */
async function nodeOf({ platform, node }: Emulator): Promise<string> {
  if (node === undefined) return process.execPath;
  const folder = packagePath(`build/emulators/${platform}`);
  const program = join(folder, node.program);
  if (existsSync(program)) return program;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "private": true }');
  const [command = "", ...list] = node.install;
  await run(command, list, { cwd: folder });
  return program;
}
