/** For which machines a placement can be planned: this one, and those that ship as descriptions. */
import { cpus } from "node:os";
import { findAdapter } from "../backends/webgpu/adapter.ts";
import type { Bytes } from "../core/units.ts";
import { describedCards } from "../placement/described-cards.ts";
import type { HardwareProfile } from "../placement/hardware.ts";

export interface PlannableMachine {
  /** As the option `hardware` names it; undefined for this machine. */
  readonly hardware: string | undefined;
  readonly processor: string;
  /** Undefined where it has none; `memoryBytes`: undefined where nobody reports them. */
  readonly card: { readonly name: string; readonly memoryBytes: Bytes | undefined } | undefined;
}

/** This machine first. Measures nothing. */
export async function plannableMachines(): Promise<readonly PlannableMachine[]> {
  const adapter = await findAdapter(undefined, "hardware");
  const here: PlannableMachine = {
    hardware: undefined,
    processor: cpus()[0]?.model.trim() || "unknown",
    card: adapter && { name: adapter.name, memoryBytes: adapter.memory },
  };
  return [here, ...[...describedCards].map(describedMachine)];
}

function describedMachine([hardware, profile]: readonly [
  string,
  HardwareProfile,
]): PlannableMachine {
  const { cpu, gpu } = profile;
  const card = gpu === null ? undefined : { name: gpu.name, memoryBytes: gpu.memoryBytes };
  return { hardware, processor: cpu.name, card };
}
