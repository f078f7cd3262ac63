/**
 * What WebGPU does not say about a card, asked from Vulkan, the driver's tool and the system: whether it has memory of its
 * own, how much, and how much of it is free. Each fact names where it was found; what nobody reports stays undefined.
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Bytes, MiB } from "../../core/units.ts";
import { readTextFile } from "../../io/open-file.ts";
import { type AddonGraphicsCard, loadAddon } from "../addon.ts";
import type { AdapterKind, FactSources } from "./adapter-description.ts";

export interface CardFacts {
  readonly kind: AdapterKind;
  readonly memory?: Bytes;
  readonly free?: Bytes;
  readonly driver?: string;
  /** How many cards have this name. */
  readonly cards: number;
  readonly found: FactSources;
}

export interface SeenCard {
  readonly vendor: string;
  readonly name: string;
  readonly isFallback: boolean;
}

/** Where facts come from; tests give their own. */
export interface FactTools {
  readonly platform: NodeJS.Platform;
  readonly vulkanCards: readonly AddonGraphicsCard[];
  /** What a program prints, "" where it does not run. */
  run(tool: string, parameters: readonly string[]): Promise<string>;
  /** A file's text, "" where there is none. */
  read(path: string): string;
}

/** How long a system tool may take: nvidia-smi needs up to two seconds when it must wake the driver. */
const toolTimeout = 5000;
const runTool = promisify(execFile);

/** Asks Vulkan once; the tools are asked for each card. */
export function systemFacts(): FactTools {
  const loaded = loadAddon();
  return {
    platform: process.platform,
    vulkanCards: loaded.kind === "loaded" ? loaded.addon.graphicsCards() : [],
    run: async (tool, parameters) => {
      const options = { timeout: toolTimeout };
      const result = await runTool(tool, [...parameters], options).catch(() => undefined);
      return result?.stdout ?? "";
    },
    read: (path) => {
      try {
        return readTextFile(path);
      } catch {
        return "";
      }
    },
  };
}

export async function cardFacts(seen: SeenCard, tools: FactTools): Promise<CardFacts> {
  const same = tools.vulkanCards.filter(({ name }) => name === seen.name);
  const [vulkan] = same;
  const { kind, found } = kindOf(seen, vulkan);
  const memory = kind === "software" ? {} : await memoryOf(seen, vulkan, tools);
  return {
    kind,
    cards: Math.max(1, same.length),
    ...(vulkan && vulkan.driver !== "" && { driver: vulkan.driver }),
    ...(memory.total && { memory: memory.total.bytes }),
    ...(memory.free && { free: memory.free.bytes }),
    found: {
      kind: found,
      ...(memory.total && { memory: memory.total.source }),
      ...(memory.free && { free: memory.free.source }),
    },
  };
}

/** VkPhysicalDeviceType. A virtual card is one that a hypervisor passes on: it has memory of its own. */
const vulkanKinds: ReadonlyMap<number, AdapterKind> = new Map([
  [1, "integrated"],
  [2, "discrete"],
  [3, "discrete"],
  [4, "software"],
]);

function kindOf(
  seen: SeenCard,
  vulkan: AddonGraphicsCard | undefined,
): { readonly kind: AdapterKind; readonly found: string } {
  if (seen.isFallback) return { kind: "software", found: "WebGPU" };
  const kind = vulkanKinds.get(vulkan?.type ?? 0);
  if (kind !== undefined) return { kind, found: "Vulkan" };
  return { kind: kindByName(seen), found: "its name" };
}

/** Where nobody reports the kind (no Vulkan, no addon), the vendors' own naming is all there is. */
export function kindByName({ vendor, name }: Omit<SeenCard, "isFallback">): AdapterKind {
  const low = name.toLowerCase();
  if (/llvmpipe|swiftshader|basic render/.test(low)) return "software";
  const isIntelIntegrated = /intel/.test(vendor + low) && !/\barc\b.*\b[ab]\d{3}/.test(low);
  const isAmdIntegrated = /radeon(\(tm\))? (vega \d+ )?graphics|radeon \d{3}m\b/.test(low);
  const isApple = /apple/.test(vendor + low);
  return isIntelIntegrated || isAmdIntegrated || isApple ? "integrated" : "discrete";
}

interface Fact {
  readonly bytes: Bytes;
  readonly source: string;
}

interface CardMemory {
  readonly total?: Fact;
  readonly free?: Fact;
}

/** The driver's own account first; Vulkan's budget counts what other programs use, but only roughly. */
async function memoryOf(
  seen: SeenCard,
  vulkan: AddonGraphicsCard | undefined,
  tools: FactTools,
): Promise<CardMemory> {
  if (tools.platform === "darwin") return unifiedMemory(tools);
  const maker = `${seen.vendor} ${seen.name}`.toLowerCase();
  const pci = vulkan?.pci ?? "";
  if (maker.includes("nvidia")) {
    const query = "--query-gpu=pci.bus_id,name,memory.total,memory.free";
    const text = await tools.run("nvidia-smi", [query, "--format=csv,noheader,nounits"]);
    const told = parseNvidia(text, { pci, name: seen.name });
    if (told !== undefined) return { ...vulkanMemory(vulkan), ...told };
  }
  if (tools.platform === "linux" && /amd|radeon/.test(maker) && pci !== "") {
    const told = videoMemory(pci, tools);
    if (told !== undefined) return { ...vulkanMemory(vulkan), ...told };
  }
  return vulkanMemory(vulkan);
}

function vulkanMemory(vulkan: AddonGraphicsCard | undefined): CardMemory {
  if (vulkan === undefined || !(vulkan.memoryBytes > 0)) return {};
  const { memoryBytes, freeBytes } = vulkan;
  return {
    total: { bytes: memoryBytes, source: "Vulkan" },
    ...(freeBytes !== undefined && { free: { bytes: freeBytes, source: "Vulkan" } }),
  };
}

/** Lines of nvidia-smi: "00000000:01:00.0, NVIDIA GeForce RTX 4090, 24564, 23010", in MiB. */
export function parseNvidia(
  text: string,
  wanted: { readonly pci: string; readonly name: string },
): CardMemory | undefined {
  const cards = text.split("\n").flatMap((line) => {
    const [pci = "", name = "", total = "", free = ""] = line.split(",").map((part) => part.trim());
    return Number(total) > 0 ? [{ pci, name, total: Number(total), free: Number(free) }] : [];
  });
  const byPlace = cards.find(({ pci }) => wanted.pci !== "" && samePlace(pci, wanted.pci));
  const named = cards.filter(({ name }) => isSameName(name, wanted.name));
  const card = byPlace ?? (named.length === 1 ? named[0] : undefined);
  if (card === undefined) return undefined;
  const source = "nvidia-smi";
  return {
    total: { bytes: card.total * MiB, source },
    ...(Number.isFinite(card.free) && { free: { bytes: card.free * MiB, source } }),
  };
}

/** nvidia-smi writes a PCI domain with eight digits, Vulkan and sysfs with four. */
function samePlace(one: string, other: string): boolean {
  const short = (pci: string): string => pci.toLowerCase().replace(/^0+(?=[\da-f]{4}:)/, "");
  return short(one) === short(other);
}

function isSameName(one: string, other: string): boolean {
  const [a, b] = [one.toLowerCase(), other.toLowerCase()];
  return a !== "" && (a.includes(b) || b.includes(a));
}

/** amdgpu's own counters of the card at this place. */
function videoMemory(pci: string, tools: FactTools): CardMemory | undefined {
  const folder = join("/sys/bus/pci/devices", pci);
  const total = Number(tools.read(join(folder, "mem_info_vram_total")));
  if (!(total > 0)) return undefined;
  const usedText = tools.read(join(folder, "mem_info_vram_used"));
  const source = "amdgpu (sysfs)";
  const used = Number(usedText);
  return {
    total: { bytes: total, source },
    ...(usedText !== "" && used <= total && { free: { bytes: total - used, source } }),
  };
}

/** Apple: one memory for both. Metal lets a process use about three quarters of it (recommendedMaxWorkingSetSize). */
async function unifiedMemory(tools: FactTools): Promise<CardMemory> {
  const total = Number((await tools.run("sysctl", ["-n", "hw.memsize"])).trim());
  if (!(total > 0)) return {};
  return { total: { bytes: Math.floor(total * 0.75), source: "three quarters of hw.memsize" } };
}
