/** A section's process: opens nothing itself, names the adapter, sends facts to the process that started it. */
import { chooseAdapter, listAdapters } from "../../src/backends/webgpu/adapter.ts";
import type { AdapterDescription } from "../../src/backends/webgpu/adapter-description.ts";
import { DeviceError } from "../../src/core/errors.ts";
import { GiB } from "../../src/core/units.ts";
import type { SectionRequest } from "./prove.ts";
import type { Fact, Mode } from "./result.ts";
import { type Context, reportTo, type Section } from "./section.ts";

/** A card that does not tell its memory has at least so much. */
const unknownMemory = 4 * GiB;

/** Ends the process: Dawn's instance would keep it alive. */
export async function runSection(
  { name, mode, gpu, folder, seconds }: SectionRequest,
  sections: readonly Section[],
): Promise<never> {
  const began = performance.now();
  // Whoever started this process is gone.
  process.on("disconnect", () => process.exit(1));
  const send = (fact: Fact | "done"): Promise<void> =>
    new Promise((resolve) => {
      if (process.send === undefined) resolve();
      else process.send(fact, () => resolve());
    });
  try {
    const section = sections.find((candidate) => candidate.name === name);
    if (section === undefined) throw new Error(`there is no section ${name}`);
    const adapter = provenAdapter(await listAdapters(), { mode, gpu });
    const context: Context = {
      mode,
      gpu: adapter.index,
      isSoftware: adapter.kind === "software",
      budget: Math.floor(0.9 * (adapter.free ?? adapter.memory ?? unknownMemory)),
      folder,
      secondsLeft: () => seconds - (performance.now() - began) / 1000,
    };
    await section.run(context, reportTo(send));
  } catch (error) {
    await send({ kind: "fault", text: error instanceof Error ? error.message : String(error) });
    if (error instanceof Error) console.error(error.stack);
  }
  await send("done");
  process.exit(0);
}

/** @throws DeviceError where there is no card, with what to do. */
export function provenAdapter(
  adapters: readonly AdapterDescription[],
  { mode, gpu }: { readonly mode: Mode; readonly gpu: string },
): AdapterDescription {
  const [any] = adapters;
  if (any === undefined) {
    throw new DeviceError(
      "no graphics adapter was found: install the card's Vulkan driver, and in a container pass the card and its graphics libraries (NVIDIA: --gpus all -e NVIDIA_DRIVER_CAPABILITIES=all)",
    );
  }
  const isHardware = adapters.some(({ kind }) => kind !== "software");
  if (gpu === "auto" && mode === "full" && !isHardware) {
    throw new DeviceError(
      `only software adapters were found (${any.name}): install the card's driver, or take --short, which is made for software`,
    );
  }
  return gpu === "auto" && !isHardware ? any : chooseAdapter(adapters, gpu);
}
