/**
 * What the planner knows about a machine: measured (or described) bytes per second and latencies.
 * Data only: a JSON file that the user can read, edit and hand to any command (docs/formats/hardware-profile.md).
 * This file measures nothing.
 */
import { isWeightType, type WeightType, weightTypes } from "../core/dtype.ts";
import { OptionError } from "../core/errors.ts";
import type { Bytes, BytesPerSecond } from "../core/units.ts";
import {
  amountOf,
  choiceOf,
  countOf,
  entryFields,
  fieldError,
  type JsonField,
  objectFields,
  parseJson,
  positiveOf,
  stringOf,
} from "./strict-json.ts";

/** Bytes of weights read per second by the real kernels; `default` serves types without a line of their own. */
export type ReadSpeeds = Readonly<Partial<Record<WeightType | "default", BytesPerSecond>>>;

export interface CpuProfile {
  readonly name: string;
  readonly threads: number;
  readonly readBytesPerSecond: ReadSpeeds;
  /** CPU time of one whole layer that does not depend on its bytes (barriers, small ops); 0 when left out. */
  readonly dispatchSeconds?: number;
  /** Multiplications and additions per second of a product with many rows, F16. */
  readonly promptFlopsPerSecond?: number;
}

export interface GpuProfile {
  readonly name: string;
  /** The card's memory: the largest budget. */
  readonly memoryBytes: Bytes;
  readonly readBytesPerSecond: ReadSpeeds;
  /** GPU time of one layer that does not depend on its bytes (dispatches, barriers); 0 when left out. */
  readonly dispatchSeconds?: number;
  /** As of the CPU. */
  readonly promptFlopsPerSecond?: number;
}

export interface LinkProfile {
  readonly uploadLatencySeconds: number;
  readonly uploadBytesPerSecond: BytesPerSecond;
  readonly downloadLatencySeconds: number;
  readonly downloadBytesPerSecond: BytesPerSecond;
}

export interface HardwareProfile {
  readonly version: 1;
  readonly name: string;
  /** Described: from data sheets, not measured. Every output that uses it says so. */
  readonly origin: "measured" | "described";
  /** Machine, driver and kernels that were measured; a profile with another identity is stale. */
  readonly identity?: string;
  readonly cpu: CpuProfile;
  readonly gpu: GpuProfile | null;
  readonly link: LinkProfile;
  /** One synchronisation: the block's input to the CPU, the CPU's result back, merged. */
  readonly splitLayerSeconds: number;
}

/** @throws FileFormatError naming the field and the value found. */
export function parseHardwareProfile(text: string, file: string): HardwareProfile {
  const root = parseJson(text, file);
  const field = objectFields(root, [
    "version",
    "name",
    "origin",
    "identity",
    "cpu",
    "gpu",
    "link",
    "splitLayerSeconds",
  ]);
  if (field("version").value !== 1)
    throw fieldError(field("version"), "1, the version hearth reads");
  const identity = field("identity");
  return {
    version: 1,
    name: stringOf(field("name")),
    origin: choiceOf(field("origin"), ["measured", "described"]),
    ...(identity.value === undefined ? {} : { identity: stringOf(identity) }),
    cpu: parseCpu(field("cpu")),
    gpu: field("gpu").value === null ? null : parseGpu(field("gpu")),
    link: parseLink(field("link")),
    splitLayerSeconds: amountOf(field("splitLayerSeconds")),
  };
}

export function serialiseHardwareProfile(profile: HardwareProfile): string {
  return `${JSON.stringify(profile, undefined, 2)}\n`;
}

/**
 * Bytes per second at which a device reads weights of this type.
 * @throws OptionError when the profile has neither the type nor a default.
 */
export function readSpeed(device: CpuProfile | GpuProfile, type: string): BytesPerSecond {
  const speeds = device.readBytesPerSecond;
  const speed = (isWeightType(type) ? speeds[type] : undefined) ?? speeds.default;
  if (speed === undefined) {
    const known = Object.keys(speeds).join(", ");
    throw new OptionError(
      `hardware profile of ${device.name}`,
      `readBytesPerSecond without ${type} (it has ${known})`,
      `a line for ${type} or "default"; hearth doctor --measure writes one`,
    );
  }
  return speed;
}

function parseCpu(cpu: JsonField): CpuProfile {
  const field = objectFields(cpu, [
    "name",
    "threads",
    "readBytesPerSecond",
    "dispatchSeconds",
    "promptFlopsPerSecond",
  ]);
  if (countOf(field("threads")) === 0) throw fieldError(field("threads"), "at least one thread");
  return {
    name: stringOf(field("name")),
    threads: countOf(field("threads")),
    readBytesPerSecond: parseSpeeds(field("readBytesPerSecond")),
    ...parseOptional(field),
  };
}

/** What both devices may have. */
function parseOptional(
  field: (name: "dispatchSeconds" | "promptFlopsPerSecond") => JsonField,
): Pick<CpuProfile, "dispatchSeconds" | "promptFlopsPerSecond"> {
  const dispatch = field("dispatchSeconds");
  const flops = field("promptFlopsPerSecond");
  return {
    ...(dispatch.value === undefined ? {} : { dispatchSeconds: amountOf(dispatch) }),
    ...(flops.value === undefined ? {} : { promptFlopsPerSecond: positiveOf(flops) }),
  };
}

function parseGpu(gpu: JsonField): GpuProfile {
  const field = objectFields(gpu, [
    "name",
    "memoryBytes",
    "readBytesPerSecond",
    "dispatchSeconds",
    "promptFlopsPerSecond",
  ]);
  return {
    name: stringOf(field("name")),
    memoryBytes: countOf(field("memoryBytes")),
    readBytesPerSecond: parseSpeeds(field("readBytesPerSecond")),
    ...parseOptional(field),
  };
}

function parseLink(link: JsonField): LinkProfile {
  const field = objectFields(link, [
    "uploadLatencySeconds",
    "uploadBytesPerSecond",
    "downloadLatencySeconds",
    "downloadBytesPerSecond",
  ]);
  return {
    uploadLatencySeconds: amountOf(field("uploadLatencySeconds")),
    uploadBytesPerSecond: positiveOf(field("uploadBytesPerSecond")),
    downloadLatencySeconds: amountOf(field("downloadLatencySeconds")),
    downloadBytesPerSecond: positiveOf(field("downloadBytesPerSecond")),
  };
}

function parseSpeeds(speeds: JsonField): ReadSpeeds {
  const entries = entryFields(speeds).map(([name, field]) => {
    const type = [...weightTypes, "default" as const].find((known) => known === name);
    if (type === undefined) {
      throw fieldError(
        field,
        `no such key; weight types are ${weightTypes.join(", ")}, and default`,
      );
    }
    return [type, positiveOf(field)] as const;
  });
  if (entries.length === 0) throw fieldError(speeds, "at least one weight type or default");
  return Object.fromEntries(entries);
}
