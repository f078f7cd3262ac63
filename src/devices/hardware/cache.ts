/**
 * The measured hardware profile of this machine: kept per machine, driver, version and build of the kernels, measured again
 * when they change.
 */
import { FileFormatError } from "../../core/errors.ts";
import { type Cache, openCache } from "../../io/cache.ts";
import {
  type HardwareProfile,
  parseHardwareProfile,
  serialiseHardwareProfile,
} from "../../placement/hardware.ts";
import { hardwareIdentity, type MeasureRequest, measureHardware } from "./measure.ts";

/** What was measured before on this machine with this adapter, else a new measurement, which is kept where that is possible. */
export async function measuredHardware(request: MeasureRequest): Promise<HardwareProfile> {
  return keptHardware(request) ?? (await measureAgain(request)).profile;
}

/** What was measured before; undefined where nothing was. */
export function keptHardware(request: MeasureRequest): HardwareProfile | undefined {
  const identity = hardwareIdentity(request);
  const kept = readProfile(openCache("hardware"), fileOf(identity));
  return kept?.identity === identity ? kept : undefined;
}

/** Measures now and replaces what was kept. `notice`: why it could not be kept. */
export async function measureAgain(
  request: MeasureRequest,
): Promise<{ readonly profile: HardwareProfile; readonly notice: string | undefined }> {
  const profile = await measureHardware(request);
  const file = fileOf(hardwareIdentity(request));
  const notice = await openCache("hardware").keep(file, serialiseHardwareProfile(profile));
  return { profile, notice };
}

function fileOf(identity: string): string {
  return `${identity}.json`;
}

/** A damaged or older file is as if it were not there. */
function readProfile(cache: Cache, file: string): HardwareProfile | undefined {
  const text = cache.read(file);
  if (text === undefined) return undefined;
  try {
    return parseHardwareProfile(text, file);
  } catch (error) {
    if (error instanceof FileFormatError) return undefined;
    throw error;
  }
}
