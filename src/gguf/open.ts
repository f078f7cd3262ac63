/**
 * Opens a model: one GGUF file, or all parts of a split one (`-00001-of-0000N.gguf`, whichever part is named).
 * Only headers are read, never weights.
 */
import { basename, dirname, join } from "node:path";
import { checkValue, pathRule } from "../core/check-options.ts";
import { FileAccessError, FileFormatError } from "../core/errors.ts";
import { type Pausable, runAtOnce, runWithPauses } from "../core/pausable.ts";
import { openSource } from "../io/byte-source.ts";
import { fingerprintOf } from "./fingerprint.ts";
import { type GgufHeader, type GgufMagic, headerSteps } from "./header.ts";
import { maxParts, partDigits } from "./limits.ts";
import type { Metadata } from "./metadata.ts";
import { adviseOnMissing } from "./mistaken-file.ts";
import type { TensorInfo, TensorTrust } from "./tensor-info.ts";

export interface GgufFile {
  /** As it was asked for. */
  readonly path: string;
  /** Every file of the model, in the order of its parts. */
  readonly files: readonly GgufPart[];
  readonly version: number;
  readonly magic: GgufMagic;
  readonly metadata: Metadata;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Identifies the model and its weights, however the file is named: sha256 in hex. Reads 64 KiB of each file's data. */
  fingerprint(): string;
}

interface GgufPart {
  readonly path: string;
  readonly bytes: number;
  readonly headerBytes: number;
  readonly dataOffset: number;
}

interface OpenedPart extends GgufPart {
  readonly header: GgufHeader;
}

/** @throws OptionError unless `path` is a path; FileFormatError unless the file is a sound GGUF file, naming field, value and offset. */
export function openGguf(path: string): GgufFile {
  return runAtOnce(openSteps(path));
}

/** The same without holding the event loop. */
export function openGgufWithPauses(path: string): Promise<GgufFile> {
  return runWithPauses(openSteps(path));
}

/**
 * The header of this one file, for whoever tells what it is: of a split model only this part, and tensors as the header
 * claims them (`TensorTrust`). Not to be run. @throws OptionError unless `path` is a path; FileFormatError, FileAccessError where
 * there is no header.
 */
export function readGgufPart(path: string): Omit<GgufFile, "fingerprint"> {
  checkValue(path, "path", pathRule);
  const { header, ...part } = runAtOnce(openNamed(path, "as claimed"));
  const { version, magic, metadata } = header;
  const tensors = new Map(header.tensors.map((tensor) => [tensor.name, tensor]));
  return { path, files: [part], version, magic, metadata, tensors };
}

function* openSteps(path: string): Pausable<GgufFile> {
  checkValue(path, "path", pathRule);
  const parts = yield* openParts(path, yield* openNamed(path));
  const [first] = parts;
  if (first === undefined) throw new RangeError(`${path}: a model of no parts`);
  const { magic, version, metadata } = first.header;
  const files = parts.map(({ header: _, ...part }) => part);
  let known: string | undefined;
  const fingerprint = (): string => {
    known ??= fingerprintOf(files);
    return known;
  };
  return { path, files, version, magic, metadata, tensors: mergeTensors(parts), fingerprint };
}

/** Advice for arguments that people often give in place of a file's path. */
function* openNamed(path: string, trust?: TensorTrust): Pausable<OpenedPart> {
  try {
    return yield* openPart(path, trust);
  } catch (error) {
    const advice =
      error instanceof FileAccessError && error.code === "ENOENT" && adviseOnMissing(path);
    if (!advice) throw error;
    throw new FileAccessError(path, {
      code: "ENOENT",
      reason: `no such file${advice}`,
      cause: error,
    });
  }
}

function* openPart(path: string, trust: TensorTrust = "sound"): Pausable<OpenedPart> {
  using source = openSource(path);
  const header = yield* headerSteps(source, trust);
  const { headerBytes, dataOffset } = header;
  return { path, bytes: source.size, headerBytes, dataOffset, header };
}

function* openParts(path: string, opened: OpenedPart): Pausable<readonly OpenedPart[]> {
  const { metadata, magic } = opened.header;
  const name = parsePartName(path);
  if (name !== undefined && (name.index < 0 || name.index >= name.count)) {
    const expected = `a part from 1 to ${name.count}, as its name counts them`;
    throw wrong(path, "the file name", { found: `part ${name.index + 1}`, expected });
  }
  const count = metadata.optionalNumber("split.count") ?? 0;
  if (count <= 1 && (name === undefined || name.count === 1)) return [opened];
  if (name === undefined || name.count !== count || count > maxParts) {
    const expected =
      name === undefined
        ? "a file name that ends in -00001-of-0000N.gguf, so that the other parts can be found"
        : `${name.count}, as the file name says (and at most ${maxParts})`;
    throw wrong(path, "split.count", { found: String(count), expected });
  }
  const parts: OpenedPart[] = [];
  for (let index = 0; index < count; index++) {
    parts.push(index === name.index ? opened : yield* openPart(partPath(name, index)));
  }
  for (const [index, part] of parts.entries()) checkPart(part, { index, count, magic });
  return parts;
}

interface PartName {
  readonly folder: string;
  readonly stem: string;
  readonly index: number;
  readonly count: number;
}

/** "model-00002-of-00005.gguf" is part index 1 of 5. */
function parsePartName(path: string): PartName | undefined {
  const match = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/.exec(basename(path));
  const [, stem, number, count] = match ?? [];
  if (stem === undefined || number === undefined || count === undefined) return undefined;
  return { folder: dirname(path), stem, index: Number(number) - 1, count: Number(count) };
}

function partPath(name: PartName, index: number): string {
  const digits = (value: number): string => String(value).padStart(partDigits, "0");
  return join(name.folder, `${name.stem}-${digits(index + 1)}-of-${digits(name.count)}.gguf`);
}

function checkPart(
  part: OpenedPart,
  model: { readonly index: number; readonly count: number; readonly magic: GgufMagic },
): void {
  const { metadata, magic } = part.header;
  const claims: readonly [string, number, number][] = [
    ["split.count", metadata.number("split.count"), model.count],
    ["split.no", metadata.number("split.no"), model.index],
  ];
  for (const [key, found, expected] of claims) {
    if (found === expected) continue;
    throw wrong(part.path, key, { found: String(found), expected: String(expected) });
  }
  if (magic !== model.magic) {
    throw wrong(part.path, "magic", {
      found: magic,
      expected: `${model.magic}, as in other parts`,
    });
  }
}

function mergeTensors(parts: readonly OpenedPart[]): ReadonlyMap<string, TensorInfo> {
  const tensors = new Map<string, TensorInfo>();
  for (const tensor of parts.flatMap((part) => part.header.tensors)) {
    const other = tensors.get(tensor.name);
    if (other !== undefined) {
      const found = `one that ${other.path} has too`;
      throw wrong(tensor.path, `tensor ${tensor.name}`, { found, expected: "each tensor once" });
    }
    tensors.set(tensor.name, tensor);
  }
  const [first] = parts;
  const claimed = first?.header.metadata.optionalNumber("split.tensors.count");
  if (
    first !== undefined &&
    parts.length > 1 &&
    claimed !== undefined &&
    claimed !== tensors.size
  ) {
    const expected = `${tensors.size}, the number of tensors in the parts`;
    throw wrong(first.path, "split.tensors.count", { found: String(claimed), expected });
  }
  return tensors;
}

function wrong(
  file: string,
  where: string,
  problem: { readonly found: string; readonly expected: string },
): FileFormatError {
  return new FileFormatError({ file, where, ...problem });
}
