/** `hearth build` in a project that installed hearth-llm on a system that no package is made for: the one way to speed there. */
import { BareProject, packageManagers } from "./bare-project.ts";
import { scope } from "./platforms.ts";
import { serveScope } from "./scope-registry.ts";
import type { PackedPackage } from "./stage.ts";

/** What was seen, as lines for a person. @throws Error for the first thing that fails. */
export async function tryCompiling(packed: readonly PackedPackage[]): Promise<readonly string[]> {
  const main = packed.find(({ manifest }) => manifest.name === "hearth-llm");
  const npm = packageManagers.find(({ name }) => name === "npm");
  if (main === undefined || npm === undefined) throw new Error("hearth-llm is not packed");
  // A registry that has none of the addons, which npm passes over.
  await using registry = await serveScope([]);
  using project = await BareProject.create(npm, main.tarball, registry.url);
  await project.install();
  const before = await project.hearth("--version");
  requireWords(before, "no native addon");
  requireWords(await project.hearth("build").catch(String), "no C++ compiler found");
  const built = await project.hearthWithTools("build");
  requireWords(built, "built build/hearth.node");
  const after = await project.hearth("--version");
  requireWords(after, "compiled here");
  const text = await project.hearth("run", "--seed", "1", "-n", "8", "Once upon a time");
  if (text.includes("slow reference backend")) throw new Error(`hearth build, then run: ${text}`);
  return [
    `without a package of ${scope}: ${before.trim()}`,
    `hearth build: ${built.trim()}`,
    `then: ${after.trim()}`,
  ];
}

function requireWords(said: string, wanted: string): void {
  if (!said.includes(wanted)) throw new Error(`"${wanted}" is not in: ${said}`);
}
