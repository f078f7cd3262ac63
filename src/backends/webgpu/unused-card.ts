/** Whether a graphics card stands idle because the GPU's package is not installed: device auto must not hide that. */
import { loadAddon } from "../addon.ts";
import { mayHaveGraphicsCard } from "./card-presence.ts";
import { howToGetGpu, isGpuInstalled } from "./gpu.ts";

/** VkPhysicalDeviceType of cards that are none of software's or another machine's. */
const integrated = 1;
const discrete = 2;

/** A sentence about the card, with what to do; empty where the package is there, or no card is known. */
export function unusedCard(): readonly string[] {
  if (isGpuInstalled() || !mayHaveGraphicsCard()) return [];
  const name = cardName();
  if (name === undefined) return [];
  return [`${name} is not used: the GPU needs an optional package; ${howToGetGpu}`];
}

function cardName(): string | undefined {
  // There is no Vulkan that would name it, and every Mac that runs hearth has one.
  if (process.platform === "darwin") return "this Mac's GPU";
  const loaded = loadAddon();
  if (loaded.kind === "missing") return undefined;
  const cards = loaded.addon.graphicsCards();
  const card =
    cards.find(({ type }) => type === discrete) ?? cards.find(({ type }) => type === integrated);
  return card?.name;
}
