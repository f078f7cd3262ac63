/** Options that the chosen device does not use: what was asked for in vain is said, never passed over. */
import type { EngineOptions } from "./options.ts";

type DeviceKind = "host" | "gpu" | "hybrid";

interface CardOption {
  /** How a sentence names it, and the flag of the command line. */
  readonly name: string;
  /** Devices that use it. */
  readonly usedBy: readonly DeviceKind[];
  isGiven(options: EngineOptions): boolean;
}

const cardOptions: readonly CardOption[] = [
  {
    name: "the VRAM budget (--vram-budget)",
    usedBy: ["gpu", "hybrid"],
    isGiven: ({ vramBudget }) => vramBudget !== undefined,
  },
  {
    name: "the choice of an adapter (--gpu)",
    usedBy: ["gpu", "hybrid"],
    isGiven: ({ gpu }) => gpu !== undefined,
  },
  {
    name: "the hardware profile (--hardware)",
    usedBy: ["hybrid"],
    isGiven: ({ hardware }) => hardware !== undefined,
  },
  {
    // The other one is the default: nobody need have asked for it.
    name: "the objective paper (--objective)",
    usedBy: ["hybrid"],
    isGiven: ({ objective }) => objective === "paper",
  },
  {
    name: "the exchange of neurons (--adapt)",
    usedBy: ["hybrid"],
    isGiven: ({ adapt }) => adapt === true,
  },
  {
    name: "the timeline (--timeline)",
    usedBy: ["hybrid"],
    isGiven: ({ timeline }) => timeline === true,
  },
];

const places: Readonly<Record<DeviceKind, string>> = {
  host: "the model runs on the processor",
  gpu: "the whole model is on the graphics card",
  hybrid: "the model runs on both devices",
};

/** A sentence for each option that was given and has no effect. */
export function idleOptionNotices(options: EngineOptions, device: DeviceKind): readonly string[] {
  return cardOptions
    .filter((option) => option.isGiven(options) && !option.usedBy.includes(device))
    .map(({ name }) => `${name} has no effect: ${places[device]}`);
}
