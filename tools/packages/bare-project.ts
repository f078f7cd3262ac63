/**
 * An empty folder on a machine without a compiler: what a user has who types `npm install hearth-llm`. PATH leads to Node,
 * the package manager and a shell alone, and no package may run a script.
 */
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, delimiter, join, sep } from "node:path";
import { scope } from "./platforms.ts";
import { run } from "./run.ts";

/** How a package manager is had and what it is told. `{project}`: the folder of the project. */
export interface PackageManager {
  readonly name: string;
  /** Installed into a folder beside the project, so that npx or the system need not have it. */
  readonly requirement: string | undefined;
  /** Its program in that package, started by Node unless it is one of its own. */
  readonly program: string;
  readonly isNative?: true;
  /** Installs what package.json names, without scripts. */
  readonly install: readonly string[];
  /** Adds a package to the project, without scripts. */
  readonly add: readonly string[];
  /** Runs a command of an installed package. */
  readonly exec: readonly string[];
  /** A file of the project that sets it up. `{registry}`: of our scope. */
  readonly settings?: { readonly file: string; readonly text: string };
  /** Nothing lies in node_modules: programs find packages by the manager's own Node. */
  readonly isPlugAndPlay?: true;
}

const noScripts = "--ignore-scripts";
/** Caches of the project's own: packages of ours from an earlier trial have the same version and other bytes. */
const yarnFlags = [noScripts, "--cache-folder", ".yarn-cache"];

const yarn4: Omit<PackageManager, "name"> = {
  requirement: "@yarnpkg/cli-dist@4.18.1",
  program: "node_modules/@yarnpkg/cli-dist/bin/yarn.js",
  install: ["install", "--mode=skip-build"],
  add: ["add", "--mode=skip-build"],
  exec: ["run"],
};

const yarn4Settings = (linker: string): Required<PackageManager>["settings"] => ({
  file: ".yarnrc.yml",
  text: `nodeLinker: ${linker}
enableGlobalCache: false
enableTelemetry: false
npmScopes: { ${scope.slice(1)}: { npmRegistryServer: "{registry}" } }
unsafeHttpWhitelist: ["127.0.0.1"]
`,
});

export const packageManagers: readonly PackageManager[] = [
  {
    name: "npm",
    requirement: undefined,
    program: "npm",
    install: ["install", noScripts, "--no-audit", "--no-fund"],
    add: ["install", noScripts, "--no-audit", "--no-fund"],
    // Which npx is.
    exec: ["exec", "--"],
  },
  {
    name: "pnpm",
    requirement: "pnpm@10.34.9",
    program: "node_modules/pnpm/bin/pnpm.cjs",
    install: ["install", noScripts],
    add: ["add", noScripts],
    exec: ["exec"],
  },
  {
    name: "yarn 1",
    requirement: "yarn@1.22.22",
    program: "node_modules/yarn/bin/yarn.js",
    install: ["install", ...yarnFlags, "--no-lockfile"],
    add: ["add", ...yarnFlags],
    exec: ["run", "--silent"],
  },
  { name: "yarn 4", ...yarn4, settings: yarn4Settings("node-modules") },
  { name: "yarn 4, Plug'n'Play", ...yarn4, settings: yarn4Settings("pnp"), isPlugAndPlay: true },
  {
    name: "bun",
    requirement: "@oven/bun-linux-x64@1.4.4",
    program: "node_modules/@oven/bun-linux-x64/bin/bun",
    isNative: true,
    install: ["install", noScripts],
    add: ["add", noScripts],
    exec: ["x", "--no-install"],
  },
];

/** What the shells of npm's own start scripts call, and no more. */
const shellTools = ["sh", "env", "dirname", "basename", "uname", "sed", "readlink", "cat"];

export class BareProject implements Disposable {
  readonly folder: string;
  readonly #bin: string;
  readonly #manager: PackageManager;
  readonly #tools: string;

  private constructor(manager: PackageManager) {
    this.#manager = manager;
    this.#tools = mkdtempSync(join(tmpdir(), "hearth-tools-"));
    this.folder = mkdtempSync(join(tmpdir(), "hearth-bare-"));
    this.#bin = join(this.#tools, "bin");
  }

  /** `tarball`: of hearth-llm, which the project depends on. `registry`: of our scope. */
  static async create(
    manager: PackageManager,
    tarball: string,
    registry: string,
  ): Promise<BareProject> {
    const project = new BareProject(manager);
    await project.#makeTools();
    const manifest = { private: true, dependencies: { "hearth-llm": `file:${tarball}` } };
    writeFileSync(join(project.folder, "package.json"), JSON.stringify(manifest));
    writeFileSync(join(project.folder, ".npmrc"), `${scope}:registry=${registry}\n`);
    if (manager.settings !== undefined) {
      const { file, text } = manager.settings;
      writeFileSync(join(project.folder, file), text.replace("{registry}", registry));
    }
    return project;
  }

  async #makeTools(): Promise<void> {
    const { requirement } = this.#manager;
    const tools = [...shellTools, ...(requirement === undefined ? ["npm", "npx"] : [])];
    mkdirSync(this.#bin);
    for (const tool of tools) symlinkSync(which(tool), join(this.#bin, tool));
    symlinkSync(process.execPath, join(this.#bin, "node"));
    if (requirement === undefined) return;
    writeFileSync(join(this.#tools, "package.json"), "{}");
    const list = ["install", "--no-save", noScripts, "--no-audit", "--no-fund", requirement];
    await run("npm", list, { cwd: this.#tools });
  }

  [Symbol.dispose](): void {
    for (const folder of [this.folder, this.#tools]) rmSync(folder, { recursive: true });
  }

  /** @throws Error with what the package manager printed. */
  async install(...packages: readonly string[]): Promise<void> {
    const { install, add } = this.#manager;
    await this.#manage(packages.length === 0 ? install : [...add, ...packages]);
  }

  /** A command of an installed package, by the package manager: what `npx hearth` does. */
  exec(...list: readonly string[]): Promise<string> {
    return this.#manage([...this.#manager.exec, ...list]);
  }

  #manage(list: readonly string[]): Promise<string> {
    const { program, isNative, requirement } = this.#manager;
    const path = requirement === undefined ? program : join(this.#tools, program);
    if (isNative || requirement === undefined) return run(path, list, this.#options());
    return run(process.execPath, [path, ...list], this.#options());
  }

  /** `hearth` of node_modules/.bin. Both outputs together. @throws Error with them unless it ends well. */
  hearth(...list: readonly string[]): Promise<string> {
    if (this.isPlugAndPlay) return this.exec("hearth", ...list);
    return run(join(this.folder, "node_modules/.bin/hearth"), list, this.#options());
  }

  /** The same with all that this machine has on PATH: a compiler, too. */
  hearthWithTools(...list: readonly string[]): Promise<string> {
    const { cwd, env } = this.#options();
    const options = { cwd, env: { ...env, PATH: process.env["PATH"] ?? "" } };
    return run(join(this.folder, "node_modules/.bin/hearth"), list, options);
  }

  node(...list: readonly string[]): Promise<string> {
    if (this.isPlugAndPlay) return this.#manage(["node", ...list]);
    return run(process.execPath, list, this.#options());
  }

  get isPlugAndPlay(): boolean {
    return this.#manager.isPlugAndPlay === true;
  }

  /** Where packages lie: node_modules, or what Plug'n'Play has beside its archives. */
  get #packages(): string {
    return join(this.folder, this.isPlugAndPlay ? ".yarn/unplugged" : "node_modules");
  }

  /** Of all installed files, a file with several names once. */
  installedBytes(): number {
    const archives = this.isPlugAndPlay ? [join(this.folder, ".yarn/cache")] : [];
    const seen = new Set<number>();
    return [this.#packages, ...archives].reduce((sum, one) => sum + bytesBelow(one, seen), 0);
  }

  /** Packages of a scope that lie anywhere below. */
  packagesOf(scope: string): readonly string[] {
    const names = readdirSync(this.#packages, {
      recursive: true,
      encoding: "utf8",
    })
      .filter((path) => path.split(sep).at(-2) === scope)
      .map((path) => `${scope}/${basename(path)}`);
    return [...new Set(names)].sort();
  }

  #options(): { readonly cwd: string; readonly env: Readonly<Record<string, string>> } {
    // What an npm that started this process told it is not for the one inside.
    const kept = Object.entries(process.env).flatMap(([name, value]) =>
      value === undefined || /^npm_(?!config_(?:registry|cafile)$)/.test(name)
        ? []
        : [[name, value]],
    );
    return {
      cwd: this.folder,
      env: {
        ...Object.fromEntries(kept),
        ...{ PATH: this.#bin, NO_COLOR: "1" },
        // As yarnFlags.
        YARN_GLOBAL_FOLDER: join(this.#tools, "yarn"),
        BUN_INSTALL_CACHE_DIR: join(this.#tools, "bun"),
      },
    };
  }
}

function which(tool: string): string {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    const path = join(folder, tool);
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) return path;
  }
  throw new Error(`${tool} is not on PATH`);
}

function bytesBelow(folder: string, seen: Set<number>): number {
  return readdirSync(folder, { withFileTypes: true }).reduce((sum, entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sum + bytesBelow(path, seen);
    const { ino, blocks } = lstatSync(path);
    if (seen.has(ino)) return sum;
    seen.add(ino);
    return sum + blocks * 512;
  }, 0);
}
