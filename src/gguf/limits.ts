/**
 * Bounds on what a GGUF file may claim. A header comes from a stranger: each number here is several times what any
 * real model needs, and small enough that a lie costs neither much memory nor much time.
 */
import { GiB, MiB } from "../core/units.ts";

/** Metadata, names and tensor infos together. The largest real ones (262 k tokens with merges) have about 20 MiB. */
export const maxHeaderBytes: number = 256 * MiB;

/** First read of a file, doubled as needed: most headers without a vocabulary fit, a large one takes 6 reads. */
export const firstWindowBytes: number = 0.25 * MiB;

/** Metadata keys; real models have 20 to 60, split ones three more. */
export const maxMetadataKeys = 4096;

/** The specification bounds a key to 2^16 - 1 bytes. */
export const maxKeyBytes = 65535;

/** One string: chat templates are the longest, tens of KiB; licence texts reach 100 KiB. */
export const maxStringBytes: number = 16 * MiB;

/** Elements of one array: 64 times the largest vocabulary (262 144 tokens). */
export const maxArrayElements: number = 16 * 1024 * 1024;

/** Arrays inside arrays, their depth and number: no published model has any; the specification allows them. */
export const maxArrayDepth = 4;
export const maxNestedArrays = 65536;

/** Tensors: 126 layers have 1139; one tensor per expert (61 layers of 256 experts, three each) would make 47 000. */
export const maxTensors = 131072;

/** ggml stores names in 64 bytes; forks have raised that to 128. */
export const maxTensorNameBytes = 128;

/** ggml's GGML_MAX_DIMS. */
export const maxDimensions = 4;

/** Elements and bytes are JavaScript numbers: exact up to here (and 9 PB is no file). */
export const maxElements: number = Number.MAX_SAFE_INTEGER;

/** Files write 32; 4 KiB and 16 KiB pages and even 64 KiB ones fit. Below 8 the specification does not allow. */
export const minAlignment = 8;
export const maxAlignment: number = MiB;
export const defaultAlignment = 32;

/** Parts of a split model: 1024 parts of the 2 GiB that some hosts allow are a 2 TB model. */
export const maxParts = 1024;

/** A part number of the file name has five digits. */
export const partDigits = 5;

/** Offsets and sizes of tensors: 16 TiB is ext4's largest file, and exact as a JavaScript number. */
export const maxDataBytes: number = 16 * 1024 * GiB;

/** Whether data may be aligned to this. */
export function isAlignment(value: number): boolean {
  return value >= minAlignment && value <= maxAlignment && Number.isInteger(Math.log2(value));
}
