/** Facts about cards, with the answers that systems and tools gave. */
import { describe, expect, it } from "vitest";
import { GiB, MiB } from "../../core/units.ts";
import { type AddonGraphicsCard, loadAddon } from "../addon.ts";
import { cardFacts, type FactTools, kindByName, parseNvidia } from "./card-facts.ts";

const radeon: AddonGraphicsCard = {
  name: "AMD Radeon Graphics (RADV NAVI31)",
  type: 2,
  vendor: 0x1002,
  device: 0x744c,
  driver: "radv Mesa 24.2.8",
  pci: "0000:03:00.0",
  memoryBytes: 23 * GiB,
  freeBytes: 20 * GiB,
};

function tools(from: Partial<FactTools>): FactTools {
  const nothing = async (): Promise<string> => "";
  return { platform: "linux", vulkanCards: [], run: nothing, read: () => "", ...from };
}

const seen = { vendor: "amd", name: radeon.name, isFallback: false };

describe("facts about a card", () => {
  it("takes Vulkan's word for its kind, whatever the card is called", async () => {
    // Named as integrated ones are: RADV calls some discrete cards so.
    const discrete = await cardFacts(seen, tools({ vulkanCards: [radeon] }));
    expect(discrete).toMatchObject({ kind: "discrete", driver: radeon.driver, cards: 1 });
    expect(discrete.found).toEqual({ kind: "Vulkan", memory: "Vulkan", free: "Vulkan" });
    const integrated = { ...radeon, type: 1 };
    expect((await cardFacts(seen, tools({ vulkanCards: [integrated] }))).kind).toBe("integrated");
  });

  it("goes by the name where nobody else says, wrongly here, and admits it", async () => {
    expect(await cardFacts(seen, tools({}))).toEqual({
      kind: "integrated",
      cards: 1,
      found: { kind: "its name" },
    });
  });

  it("reads amdgpu's counters of the card at that place", async () => {
    const folder = "/sys/bus/pci/devices/0000:03:00.0";
    const files: Record<string, string> = {
      [`${folder}/mem_info_vram_total`]: `${24 * GiB}\n`,
      [`${folder}/mem_info_vram_used`]: `${3 * GiB}\n`,
    };
    const read = (path: string): string => files[path] ?? "";
    const facts = await cardFacts(seen, tools({ vulkanCards: [radeon], read }));
    expect(facts).toMatchObject({ memory: 24 * GiB, free: 21 * GiB });
    expect(facts.found.free).toBe("amdgpu (sysfs)");
  });

  it("counts cards of the same name", async () => {
    const twin = { ...radeon, pci: "0000:04:00.0" };
    expect((await cardFacts(seen, tools({ vulkanCards: [radeon, twin] }))).cards).toBe(2);
  });

  it("has no memory of a software adapter, and three quarters of an Apple's", async () => {
    const fallback = { vendor: "google", name: "SwiftShader Device", isFallback: true };
    expect(await cardFacts(fallback, tools({}))).toMatchObject({ kind: "software" });
    const run = async (): Promise<string> => `${16 * GiB}\n`;
    const apple = { vendor: "apple", name: "Apple M3", isFallback: false };
    const facts = await cardFacts(apple, tools({ platform: "darwin", run }));
    expect(facts).toMatchObject({ kind: "integrated", memory: 12 * GiB });
  });
});

describe("nvidia-smi", () => {
  const text =
    "00000000:01:00.0, NVIDIA GeForce RTX 3090, 24576, 23000\n00000000:41:00.0, NVIDIA GeForce RTX 3090, 24576, 512\n" +
    "00000000:42:00.0, NVIDIA T4, 15360, [N/A]\n";

  it("is read at the card's place, and by its name where the place is unknown", () => {
    const second = parseNvidia(text, { pci: "0000:41:00.0", name: "NVIDIA GeForce RTX 3090" });
    expect(second?.free?.bytes).toBe(512 * MiB);
    expect(parseNvidia(text, { pci: "", name: "NVIDIA GeForce RTX 3090" })).toBeUndefined();
    expect(parseNvidia("", { pci: "", name: "NVIDIA T4" })).toBeUndefined();
  });

  it("may leave free memory out", () => {
    const card = parseNvidia(text, { pci: "", name: "NVIDIA T4" });
    expect(card?.total?.bytes).toBe(15360 * MiB);
    expect(card?.free).toBeUndefined();
  });

  it("comes before Vulkan's estimate", async () => {
    const name = "NVIDIA GeForce RTX 3090";
    const vulkan = { ...radeon, name, pci: "0000:01:00.0" };
    const run = async (tool: string): Promise<string> => (tool === "nvidia-smi" ? text : "");
    const facts = await cardFacts(
      { vendor: "nvidia", name, isFallback: false },
      tools({ vulkanCards: [vulkan], run }),
    );
    expect(facts).toMatchObject({ memory: 24576 * MiB, free: 23000 * MiB });
    expect(facts.found).toEqual({ kind: "Vulkan", memory: "nvidia-smi", free: "nvidia-smi" });
  });
});

it.each([
  ["nvidia", "NVIDIA GeForce GTX 1660 Ti", "discrete"],
  ["amd", "AMD Radeon RX 7900 XTX (RADV NAVI31)", "discrete"],
  ["amd", "AMD Radeon 780M (RADV PHOENIX)", "integrated"],
  ["amd", "AMD Radeon(TM) Graphics", "integrated"],
  ["intel", "Intel(R) Iris(R) Xe Graphics (TGL GT2)", "integrated"],
  ["intel", "Intel(R) Arc(TM) A770 Graphics (DG2)", "discrete"],
  ["apple", "Apple M3 Pro", "integrated"],
  ["google", "SwiftShader Device (Subzero)", "software"],
])("%s %s is %s by its name", (vendor, name, kind) => {
  expect(kindByName({ vendor, name })).toBe(kind);
});

const loaded = loadAddon();

it.skipIf(loaded.kind === "missing")("Vulkan's cards are listed whole, or none is", () => {
  const cards = loaded.kind === "loaded" ? loaded.addon.graphicsCards() : [];
  for (const card of cards) {
    expect(card.name).not.toBe("");
    expect(card.type).toBeLessThanOrEqual(4);
    expect(card.memoryBytes).toBeGreaterThan(0);
    expect(card.pci).toMatch(/^$|^[\da-f]{4,8}:[\da-f]{2}:[\da-f]{2}\.\d$/);
  }
});
