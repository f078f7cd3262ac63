/** Which device runs the model: the fastest there is, or the one that was asked for; never silently another. */

import { loadAddon } from "../backends/addon.ts";
import type { Backend } from "../backends/backend.ts";
import { chooseAdapter, findAdapter, listAdapters, sameName } from "../backends/webgpu/adapter.ts";
import type { AdapterDescription } from "../backends/webgpu/adapter-description.ts";
import { unusedCard } from "../backends/webgpu/unused-card.ts";
import { LimitError, UnsupportedError } from "../core/errors.ts";
import { type Bytes, formatBytes } from "../core/units.ts";
import { budgetNotices, cardBudget } from "./card-budget.ts";
import { type HostDevice, openHostBackend } from "./host-backend.ts";
import type { Remarks } from "./remarks.ts";
import type { ResolvedEngineOptions } from "./resolve-options.ts";

export type ChosenDevice = Remarks &
  (
    | { readonly kind: "host"; readonly backend: Backend }
    | {
        readonly kind: "gpu";
        readonly adapter: AdapterDescription;
        /** Absent: a software adapter, whose memory is the system's. */
        readonly budget?: Bytes;
      }
    | {
        readonly kind: "hybrid";
        readonly adapter: AdapterDescription;
        readonly budget: Bytes;
      }
  );

/** Bytes that the whole model takes on an adapter. */
type WholeModelBytes = (adapter: AdapterDescription) => Bytes;

/** What the choice depends on beside the options. */
export interface DeviceCandidate {
  readonly wholeModel: WholeModelBytes;
}

/** @throws DeviceError when the device that was asked for cannot be had, OptionError for a budget that it cannot have. */
export async function chooseDevice(
  resolved: ResolvedEngineOptions,
  candidate: DeviceCandidate,
): Promise<ChosenDevice> {
  const { device } = resolved;
  switch (device) {
    case "reference":
    case "cpu":
      return host(resolved, device, []);
    case "gpu": {
      const { adapter, notices } = await askedAdapter(resolved);
      const isSoftware = adapter.kind === "software";
      const budget = isSoftware ? resolved.vramBudget : cardBudget(adapter, resolved.vramBudget);
      return {
        kind: "gpu",
        adapter,
        notices: [...notices, ...budgetNotices(adapter, resolved.vramBudget)],
        details: [],
        ...(budget !== undefined && { budget }),
      };
    }
    case "hybrid": {
      const { adapter, notices } = await askedAdapter(resolved);
      return {
        kind: "hybrid",
        adapter,
        budget: cardBudget(adapter, resolved.vramBudget),
        notices: [...notices, ...budgetNotices(adapter, resolved.vramBudget)],
        details: [],
      };
    }
    case "auto":
      return chooseFastest(resolved, candidate);
    default:
      return device satisfies never;
  }
}

/** The adapter that was named; else the first hardware adapter, else a software one with a notice. */
export async function askedAdapter(
  resolved: Pick<ResolvedEngineOptions, "gpu">,
): Promise<{ readonly adapter: AdapterDescription; readonly notices: readonly string[] }> {
  const adapters = await listAdapters();
  const hasHardware = adapters.some(({ kind }) => kind !== "software");
  const adapter = chooseAdapter(adapters, resolved.gpu ?? (hasHardware ? "auto" : 0));
  const notice = `${adapter.name} is a software adapter: the processor imitates a graphics card, slower than device cpu`;
  return { adapter, notices: adapter.kind === "software" ? [notice] : [] };
}

/** The whole model on the GPU if it fits, else both devices, else the CPU. Never a software adapter. */
async function chooseFastest(
  resolved: ResolvedEngineOptions,
  { wholeModel }: DeviceCandidate,
): Promise<ChosenDevice> {
  const adapter = await findAdapter(resolved.gpu, "hardware");
  if (adapter === undefined) return host(resolved, "auto", unusedCard());
  if (adapter.cards > 1) return host(resolved, "auto", [`no card is used: ${sameName(adapter)}`]);
  if (adapter.memory === undefined && resolved.vramBudget === undefined) {
    const unknown = `${adapter.name} is not used: its memory is unknown; a VRAM budget says how much may be taken`;
    return host(resolved, "auto", [unknown]);
  }
  const budget = cardBudget(adapter, resolved.vramBudget);
  const notices = budgetNotices(adapter, resolved.vramBudget);
  const whole = wholeModelOrWhyNot(adapter, wholeModel);
  if (typeof whole === "number" && whole <= budget) {
    const fits = `device gpu: the whole model takes ${formatBytes(whole)} of ${formatBytes(budget)} on ${adapter.name}`;
    return { kind: "gpu", adapter, budget, notices, details: [fits] };
  }
  const why = typeof whole === "number" ? `takes ${formatBytes(whole)}` : whole;
  if (typeof whole === "number" && loadAddon().kind === "loaded") {
    const splits = `device hybrid: the whole model ${why}, ${adapter.name} gives ${formatBytes(budget)}`;
    return { kind: "hybrid", adapter, budget, notices, details: [splits] };
  }
  return host(resolved, "auto", [`${adapter.name} is not used: the model ${why}`]);
}

function wholeModelOrWhyNot(
  adapter: AdapterDescription,
  wholeModel: WholeModelBytes,
): Bytes | string {
  try {
    return wholeModel(adapter);
  } catch (error) {
    const isNoFit = error instanceof LimitError || error instanceof UnsupportedError;
    if (isNoFit) return `cannot run there: ${error.message}`;
    throw error;
  }
}

function host(
  { threads, exact, mmap, mlock, hugePages }: ResolvedEngineOptions,
  device: HostDevice,
  notices: readonly string[],
): ChosenDevice {
  const opened = openHostBackend(device, { threads, exact, mmap, mlock, hugePages });
  return {
    kind: "host",
    backend: opened.backend,
    get notices() {
      return [...notices, ...opened.notices];
    },
    details: [],
  };
}
