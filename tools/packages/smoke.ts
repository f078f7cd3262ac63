/** What an installed hearth must do in an emulator: name its addon, know the machine, write text, give the goldens. */
import { EmulatedProject } from "./emulated-project.ts";
import { type Emulator, emulators } from "./emulators.ts";
import { scope } from "./platforms.ts";
import type { PackedPackage } from "./stage.ts";

/** What each emulator showed, as lines for a person. @throws Error for the first thing that fails. */
export async function smokeAll(
  packed: readonly PackedPackage[],
  only: readonly Emulator[] = emulators,
): Promise<readonly string[]> {
  const lines: string[] = [];
  for (const emulator of only) {
    const missing = emulator.missing();
    if (missing === undefined) lines.push(...(await smoke(emulator, packed)));
    else lines.push(`${emulator.platform}: not run, this machine has no ${missing}`);
  }
  return lines;
}

async function smoke(
  emulator: Emulator,
  packed: readonly PackedPackage[],
): Promise<readonly string[]> {
  using project = await EmulatedProject.create(emulator, packed);
  const version = await project.hearth("--version");
  if (!version.includes(`native addon: ${scope}/${emulator.platform}`)) {
    throw new Error(`${emulator.platform}: hearth --version says ${version}`);
  }
  const { system, cpu, addon } = JSON.parse(await project.hearth("doctor", "--json"));
  const isKnown = cpu.name !== "unknown" && cpu.memory_bytes > 0 && cpu.physical_cores > 0;
  if (!isKnown) throw new Error(`${emulator.platform}: doctor says ${JSON.stringify(cpu)}`);
  const text = await project.hearth("run", "--seed", "1", "-n", "16", "--quiet", "The old man");
  return [
    `version: ${version.trim()}`,
    `doctor: ${system}, "${cpu.name}", ${cpu.physical_cores} cores, ${cpu.memory_bytes} bytes; kernels ${addon.instruction_sets.join(", ")}`,
    `run: ${JSON.stringify(text.trim())}`,
    `goldens: ${(await project.goldens()).trim()}`,
  ].map((line) => `${emulator.platform}: ${line}`);
}
