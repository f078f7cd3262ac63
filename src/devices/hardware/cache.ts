/** The measured hardware profile of this machine: kept per machine, driver and version, measured again when they change. */
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { FileFormatError } from "../../core/errors.ts";
import { cacheFolder } from "../../io/cache-folder.ts";
import {
  type HardwareProfile,
  parseHardwareProfile,
  serialiseHardwareProfile,
} from "../../placement/hardware.ts";
import { hardwareIdentity, type MeasureRequest, measureHardware } from "./measure.ts";

/** What was measured before on this machine with this adapter, else a new measurement, which is kept. */
export async function measuredHardware(request: MeasureRequest): Promise<HardwareProfile> {
  const identity = hardwareIdentity(request);
  const file = join(cacheFolder("hardware"), `${identity}.json`);
  const kept = await readProfile(file);
  if (kept !== undefined && kept.identity === identity) return kept;
  const measured = await measureHardware(request);
  await keepProfile(file, measured);
  return measured;
}

/** Measures now and replaces what was kept. */
export async function measureAgain(request: MeasureRequest): Promise<HardwareProfile> {
  const measured = await measureHardware(request);
  await keepProfile(join(cacheFolder("hardware"), `${hardwareIdentity(request)}.json`), measured);
  return measured;
}

/** A damaged or older file is as if it were not there. */
async function readProfile(file: string): Promise<HardwareProfile | undefined> {
  try {
    return parseHardwareProfile(await readFile(file, "utf8"), file);
  } catch (error) {
    if (error instanceof FileFormatError) return undefined;
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** Written beside and renamed, so that a reader never sees half a profile. */
async function keepProfile(file: string, profile: HardwareProfile): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const partial = `${file}.${process.pid}.partial`;
  await writeFile(partial, serialiseHardwareProfile(profile));
  await rename(partial, file);
}
