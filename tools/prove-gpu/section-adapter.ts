/** Which card, driver and limits: what every other number belongs to. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { listAdapters, takeAdapter } from "../../src/backends/webgpu/adapter.ts";
import { DeviceError } from "../../src/core/errors.ts";
import { formatBytes } from "../../src/core/units.ts";
import type { Context, Report, Section } from "./section.ts";

export const adapterSection: Section = {
  name: "adapter",
  title: "Adapter, driver, limits",
  deadline: { full: 30, short: 60 },
  run,
};

async function run({ gpu }: Context, report: Report): Promise<void> {
  const adapters = await listAdapters();
  const chosen = adapters.find(({ index }) => index === gpu);
  if (chosen === undefined) throw new DeviceError(`adapter ${gpu} is gone; try again`);
  const { name, kind, backend } = chosen;
  report.adapter({ name, kind, backend });
  report.check("an adapter is there", true, `${name}, ${backend}, ${kind}`);
  for (const { index, ...other } of adapters)
    report.note(`adapter ${index}: ${other.name}, ${other.backend}, ${other.kind}`);
  const { memory, free, found, driver } = chosen;
  const told = (bytes: number | undefined, source = ""): string =>
    bytes === undefined ? "not told" : `${formatBytes(bytes)} (${source})`;
  report.note(`kind: ${kind} (${found.kind})`);
  report.note(`memory: ${told(memory, found.memory)}, free: ${told(free, found.free)}`);
  if (driver !== undefined) report.note(`driver: ${driver}`);
  report.note(`features: ${chosen.features.join(", ")}`);
  const taken = await takeAdapter(chosen);
  report.check("it can be taken", taken !== undefined, name);
  if (taken !== undefined) {
    const { info, limits } = taken.adapter;
    const { vendor, architecture, device, description } = info;
    report.note(`WebGPU says: ${[vendor, architecture, device, description].join(", ")}`);
    report.note(`limits: ${limitsText(limits)}`);
    taken.held.release();
  }
  for (const line of systemLines()) report.note(line);
}

function limitsText(limits: GPUSupportedLimits): string {
  const names = Object.keys(Object.getPrototypeOf(limits));
  const values = new Map(
    names
      .map((name) => [name, Number(Reflect.get(limits, name))])
      .filter(([, value]) => Number(value) > 0) as [string, number][],
  );
  return [...values].map(([name, value]) => `${name} ${value}`).join(", ");
}

/** What the system says of drivers and of the card's state; a tool that is absent says nothing. */
function systemLines(): readonly string[] {
  const lines: string[] = [];
  for (const path of ["/proc/driver/nvidia/version", "/sys/module/amdgpu/version"])
    if (existsSync(path)) lines.push(`${path}: ${readFileSync(path, "utf8").trim()}`);
  for (const name of ["VK_DRIVER_FILES", "VK_ICD_FILENAMES", "NVIDIA_DRIVER_CAPABILITIES"])
    if (process.env[name]) lines.push(`${name}=${process.env[name]}`);
  const fields =
    "name,driver_version,memory.total,memory.used,pcie.link.gen.current,pcie.link.gen.max,pcie.link.width.current,power.limit,clocks.max.sm,clocks.max.memory";
  try {
    const query = [`--query-gpu=${fields}`, "--format=csv"];
    const said = execFileSync("nvidia-smi", query, { encoding: "utf8", timeout: 8000 });
    lines.push(
      ...said
        .trim()
        .split("\n")
        .map((line) => `nvidia-smi: ${line}`),
    );
  } catch {
    lines.push("nvidia-smi: absent, or it did not answer");
  }
  return lines;
}
