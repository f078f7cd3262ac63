/** For which machines a placement can be planned: this one, and those that ship as descriptions. */
import { cpus } from "node:os";
import { findAdapter } from "../backends/webgpu/adapter.ts";
import { checkOptions, type OptionRules } from "../core/check-options.ts";
import type { Bytes } from "../core/units.ts";
import { openHardware } from "../devices/hardware/measure-machine.ts";
import { engineRules } from "../engine/option-rules.ts";
import { describedCards } from "../placement/described-cards.ts";
import type { HardwareProfile } from "../placement/hardware.ts";

export interface PlannableMachine {
  /** As the option `hardware` names it; undefined for this machine. */
  readonly hardware: string | undefined;
  readonly processor: string;
  /** Undefined where it has none; `memoryBytes`: undefined where nobody reports them. */
  readonly card: { readonly name: string; readonly memoryBytes: Bytes | undefined } | undefined;
}

export interface PlannableOptions {
  /** A file or a described card that stands in for what this machine has. */
  readonly hardware?: string;
}

const rules: OptionRules<PlannableOptions> = { hardware: engineRules.hardware };

/** This machine first. Measures nothing. @throws OptionError, and FileFormatError for a file that is no profile */
export async function plannableMachines(
  options: PlannableOptions = {},
): Promise<readonly PlannableMachine[]> {
  checkOptions(options, rules, "plan");
  const here = await thisMachine(options.hardware);
  const others = [...describedCards].map(([name, profile]) => ({
    hardware: name,
    ...partsOf(profile),
  }));
  return [here, ...others];
}

async function thisMachine(hardware: string | undefined): Promise<PlannableMachine> {
  if (hardware !== undefined)
    return { hardware: undefined, ...partsOf(await openHardware(hardware)) };
  const adapter = await findAdapter(undefined, "hardware");
  return {
    hardware: undefined,
    processor: cpus()[0]?.model.trim() || "unknown",
    card: adapter && { name: adapter.name, memoryBytes: adapter.memory },
  };
}

function partsOf({ cpu, gpu }: HardwareProfile): Omit<PlannableMachine, "hardware"> {
  const card = gpu === null ? undefined : { name: gpu.name, memoryBytes: gpu.memoryBytes };
  return { processor: cpu.name, card };
}
