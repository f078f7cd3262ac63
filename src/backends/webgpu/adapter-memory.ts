/**
 * Memory of a graphics card in bytes, asked from the driver or the system, because WebGPU does not report it.
 * Unknown stays undefined: the caller must then be given a budget.
 */
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Bytes, MiB } from "../../core/units.ts";

/** How long a system tool may take: nvidia-smi needs up to two seconds when it must wake the driver. */
const toolTimeout = 5000;

const runTool = promisify(execFile);

export interface CardName {
  readonly vendor: string;
  readonly name: string;
}

export async function adapterMemory(card: CardName): Promise<Bytes | undefined> {
  const vendor = `${card.vendor} ${card.name}`.toLowerCase();
  if (process.platform === "darwin")
    return parseSysctl(await output("sysctl", ["-n", "hw.memsize"]));
  if (vendor.includes("nvidia")) {
    const query = ["--query-gpu=name,memory.total", "--format=csv,noheader,nounits"];
    return parseNvidia(await output("nvidia-smi", query), card.name);
  }
  if (process.platform === "linux" && vendor.match(/amd|radeon/)) return largestVideoMemory();
  return undefined;
}

/** "NVIDIA GeForce RTX 4090, 24564" lines, in MiB. The card of that name, else the only one. */
export function parseNvidia(text: string, name: string): Bytes | undefined {
  const cards = text
    .split("\n")
    .map((line) => line.split(","))
    .flatMap(([card, mebibytes]) =>
      card !== undefined && Number(mebibytes) > 0
        ? [{ card: card.trim().toLowerCase(), bytes: Number(mebibytes) * MiB }]
        : [],
    );
  const wanted = name.toLowerCase();
  const match = cards.find(({ card }) => wanted.includes(card) || card.includes(wanted));
  return match?.bytes ?? (cards.length === 1 ? cards[0]?.bytes : undefined);
}

/** Apple: unified memory. Metal lets a process use about three quarters of it (recommendedMaxWorkingSetSize). */
export function parseSysctl(text: string): Bytes | undefined {
  const total = Number(text.trim());
  return total > 0 ? Math.floor(total * 0.75) : undefined;
}

/** amdgpu's mem_info_vram_total of the card that has most: with an integrated and a discrete one, the discrete. */
async function largestVideoMemory(): Promise<Bytes | undefined> {
  const root = "/sys/class/drm";
  const cards = await readdir(root).catch(() => []);
  const sizes = await Promise.all(
    cards
      .filter((card) => /^card\d+$/.test(card))
      .map((card) =>
        readFile(join(root, card, "device", "mem_info_vram_total"), "utf8").catch(() => ""),
      ),
  );
  const largest = Math.max(0, ...sizes.map(Number).filter((size) => size > 0));
  return largest > 0 ? largest : undefined;
}

async function output(tool: string, parameters: readonly string[]): Promise<string> {
  const result = await runTool(tool, [...parameters], { timeout: toolTimeout }).catch(
    () => undefined,
  );
  return result?.stdout ?? "";
}
