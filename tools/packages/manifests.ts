/**
 * The package.json of every package that a release publishes: hearth-llm itself, an addon for each system, and the
 * GPU's library for each. The repository's own package.json names none of them: they are published after it is tested.
 */
import { type Platform, platforms, scope } from "./platforms.ts";

export type Manifest = Readonly<Record<string, unknown>> & {
  readonly name: string;
  readonly version: string;
};

/**
 * Libraries that stay packages: WebAssembly beside its code, and headers of C. All others lie inside our own files
 * (bundle.ts).
 */
const packagedLibraries: readonly string[] = ["highs", "node-api-headers"];

/** hearth-llm as it is published: without scripts that run at install, most libraries inside, its addons as packages. */
export function mainManifest(own: Manifest, gpuVersion: string): Manifest {
  const { scripts: _, devDependencies: __, optionalDependencies: ___, ...kept } = own;
  const addons = platforms.map(({ name }) => [`${scope}/${name}`, own.version]);
  const libraries = Object.entries({ ...Object(own["dependencies"]) });
  return {
    ...kept,
    dependencies: Object.fromEntries(
      libraries.filter(([name]) => packagedLibraries.includes(name)),
    ),
    optionalDependencies: Object.fromEntries(addons),
    // yarn's Plug'n'Play leaves others in archives, where no thread starts and no weight is mapped.
    preferUnplugged: true,
    // Package managers link an optional peer where the project has it, and fetch none by themselves.
    peerDependencies: { [`${scope}/gpu`]: gpuVersion },
    peerDependenciesMeta: { [`${scope}/gpu`]: { optional: true } },
    publishConfig,
  };
}

export function addonManifest(own: Manifest, platform: Platform): Manifest {
  const { name, os, cpu, libc } = platform;
  return {
    ...originOf(own),
    name: `${scope}/${name}`,
    version: own.version,
    description: `The native addon of hearth-llm for ${name}`,
    license: own["license"],
    os: [os],
    cpu: [cpu],
    ...(libc !== undefined && { libc: [libc] }),
    preferUnplugged: true,
    files: ["hearth.node", "LICENSE*"],
  };
}

/** `folder`: of the package webgpu's dist, named after the system: "linux-x64", "darwin-universal". */
export function gpuPlatformManifest(own: Manifest, webgpu: Manifest, folder: string): Manifest {
  const [os = "", cpu = ""] = folder.split("-");
  return {
    ...originOf(own),
    name: `${scope}/gpu-${folder}`,
    version: webgpu.version,
    description: `The part of the npm package webgpu ${webgpu.version} (Dawn) for ${folder}, unchanged`,
    license: webgpu["license"],
    type: "module",
    main: "index.js",
    os: [os],
    cpu: cpu === "universal" ? ["x64", "arm64"] : [cpu],
    // Dawn's Linux is that of glibc: beside musl it would be 22 MB that do not load.
    ...(os === "linux" && { libc: ["glibc"] }),
    preferUnplugged: true,
    files: ["dist", "index.js", "LICENSE.md"],
  };
}

/** What a user installs to have the GPU: it takes only the part for the user's system. */
export function gpuManifest(own: Manifest, webgpu: Manifest, folders: readonly string[]): Manifest {
  const parts = folders.map((folder) => [`${scope}/gpu-${folder}`, webgpu.version]);
  return {
    ...originOf(own),
    name: `${scope}/gpu`,
    version: webgpu.version,
    description: "The GPU for hearth-llm: WebGPU by Dawn, only this system's part of it",
    license: webgpu["license"],
    type: "module",
    main: "index.js",
    files: ["index.js", "LICENSE.md"],
    optionalDependencies: Object.fromEntries(parts),
  };
}

const publishConfig = { access: "public", provenance: true };

/** Where it comes from: provenance is refused unless the repository is that of the workflow. */
function originOf({ homepage, repository, bugs, engines }: Manifest): object {
  return { homepage, repository, bugs, engines, publishConfig };
}
