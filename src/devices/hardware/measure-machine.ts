/** Hardware profiles by name: a file that the user has, or a described card that ships with the project. */
import { adapterRule, threadsRule } from "../../backends/machine-rules.ts";
import { findAdapter } from "../../backends/webgpu/adapter.ts";
import { checkOptions, functionRule, type OptionRules } from "../../core/check-options.ts";
import { FileAccessError, OptionError } from "../../core/errors.ts";
import { MiB } from "../../core/units.ts";
import { readTextFile } from "../../io/open-file.ts";
import { describedCards } from "../../placement/described-cards.ts";
import {
  type HardwareProfile,
  parseHardwareProfile,
  serialiseHardwareProfile,
} from "../../placement/hardware.ts";
import { keptHardware, measureAgain, measuredHardware } from "./cache.ts";
import type { MeasureRequest } from "./measure.ts";

export interface MeasureOptions {
  /** Which adapter. Default: the first one that is not software; without one, a profile of the processor alone. */
  readonly gpu?: number | string;
  readonly threads?: number;
  /** Hears why the result could not be kept for later plans. */
  readonly onNotice?: (notice: string) => void;
}

/** A profile has some kilobytes. */
const maxProfileBytes = MiB;

/** @throws OptionError for neither a card nor a file; FileFormatError if the file is not a profile. */
export async function openHardware(nameOrPath: string): Promise<HardwareProfile> {
  const card = describedCards.get(nameOrPath);
  if (card !== undefined) return card;
  try {
    return parseHardwareProfile(readTextFile(nameOrPath, maxProfileBytes), nameOrPath);
  } catch (error) {
    if (!(error instanceof FileAccessError)) throw error;
    if (error.code !== "ENOENT" && error.code !== "EISDIR") throw error;
    const cards = [...describedCards.keys()].join(", ");
    throw new OptionError(
      "hardware",
      `"${nameOrPath}"`,
      `a file that hearth doctor --measure wrote, or one of ${cards}`,
    );
  }
}

const measureRules: OptionRules<MeasureOptions> = {
  gpu: adapterRule,
  threads: threadsRule,
  onNotice: functionRule,
};

/** Measures this machine now, keeps the result for later plans and returns it as the text of a profile. */
export async function measureMachine(options: MeasureOptions = {}): Promise<string> {
  checkOptions(options, measureRules, "measure");
  const { profile, notice } = await measureAgain(await measureRequest(options));
  if (notice !== undefined) options.onNotice?.(notice);
  return serialiseHardwareProfile(profile);
}

/** What was measured before, else a new measurement. */
export async function machineProfile(options: MeasureOptions): Promise<HardwareProfile> {
  return measuredHardware(await measureRequest(options));
}

/** What was measured before; undefined where nothing was. */
export async function keptProfile(options: MeasureOptions): Promise<HardwareProfile | undefined> {
  return keptHardware(await measureRequest(options));
}

async function measureRequest({ gpu, threads }: MeasureOptions): Promise<MeasureRequest> {
  const adapter = await findAdapter(gpu, gpu === undefined ? "hardware" : "any");
  return { threads, ...(adapter && { adapter }) };
}
