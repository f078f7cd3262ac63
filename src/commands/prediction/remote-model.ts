/**
 * A model that lies on the hub, as far as one must know it before it is fetched: the header of each of its files, and the few
 * numbers that opening a model reads. They are put into a stand-in on this machine: files of the same names and sizes whose
 * weights are holes, which take no space. So a model that is elsewhere is judged by the same code as one that is here.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { FileFormatError } from "../../core/errors.ts";
import { type Bytes, KiB } from "../../core/units.ts";
import { type GgufHeader, readGgufHeader } from "../../gguf/header.ts";
import { maxHeaderBytes } from "../../gguf/limits.ts";
import type { HubFile } from "../../hub/hub-file.ts";
import type { RemoteFile } from "../../hub/remote-file.ts";
import type { ByteSource } from "../../io/byte-source.ts";

/** Of a stand-in. Disposing removes it. */
export interface StandIn extends Disposable {
  /** Of its first file. */
  readonly path: string;
  /** That were read of the files on the hub. */
  readonly bytesRead: Bytes;
  /** Of the longest header. */
  readonly headerBytes: Bytes;
}

/** The first read of a header; each further one doubles what is known. A vocabulary of 32,000 tokens takes 700 KiB. */
const firstWindow: Bytes = 512 * KiB;

/** Factors of positions (Llama 3, Phi 3): opening a model reads them. Each has some hundred bytes. */
const readOnOpening = /^rope_(freqs|factors_short|factors_long)\.weight$/;

/**
 * `files`: all parts of one model, in their order. `expected`: how long a header likely is, as those of other quantisations of
 * the model are. @throws HubError, FileFormatError for what is no GGUF
 */
export async function createStandIn(
  files: readonly RemoteFile[],
  expected: Bytes = firstWindow,
): Promise<StandIn> {
  const folder = mkdtempSync(join(tmpdir(), "hearth-remote-"));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    let [bytesRead, headerBytes] = [0, 0];
    const paths: string[] = [];
    for (const remote of files) {
      const path = join(folder, basename(remote.file.path));
      const copied = await copyHeader(remote, path, expected);
      bytesRead += copied.bytesRead;
      headerBytes = Math.max(headerBytes, copied.headerBytes);
      paths.push(path);
    }
    const [path] = paths;
    if (path === undefined) throw new RangeError("a model of no files");
    return { path, bytesRead, headerBytes, [Symbol.dispose]: remove };
  } catch (error) {
    remove();
    throw error;
  }
}

async function copyHeader(
  remote: RemoteFile,
  path: string,
  expected: Bytes,
): Promise<Pick<StandIn, "bytesRead" | "headerBytes">> {
  const { header, bytes } = await readHeader(remote, expected);
  await using handle = await open(path, "wx");
  await handle.truncate(remote.file.size);
  await write(handle, bytes, 0);
  let bytesRead = bytes.length;
  for (const tensor of header.tensors.filter(({ name }) => readOnOpening.test(name))) {
    await write(handle, await remote.read(tensor.offset, tensor.bytes), tensor.offset);
    bytesRead += tensor.bytes;
  }
  return { bytesRead, headerBytes: header.headerBytes };
}

async function write(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  await handle.write(bytes, 0, bytes.length, position);
}

interface RemoteHeader {
  readonly header: GgufHeader;
  /** The file's beginning, with all of the header. */
  readonly bytes: Uint8Array;
}

async function readHeader(remote: RemoteFile, expected: Bytes): Promise<RemoteHeader> {
  const { size } = remote.file;
  let bytes: Uint8Array = new Uint8Array(0);
  for (let wanted = Math.min(size, expected); ; wanted = Math.min(size, 2 * bytes.length)) {
    const more = await remote.read(bytes.length, wanted - bytes.length);
    bytes = Buffer.concat([bytes, more]);
    const header = headerWithin(bytes, remote.file);
    if (header !== undefined) return { header, bytes };
  }
}

/** No value of a header is looked at further ahead of where it is said to be wrong. */
const longestValue: Bytes = 64 * KiB;

/** Undefined where the header goes on behind `bytes`. @throws FileFormatError for what is wrong before. */
function headerWithin(bytes: Uint8Array, file: HubFile): GgufHeader | undefined {
  const isWhole = bytes.length === file.size;
  try {
    const header = readGgufHeader(beginningOf(file, bytes));
    return isWhole || header.headerBytes <= bytes.length ? header : undefined;
  } catch (error) {
    const isKnown =
      error instanceof FileFormatError &&
      error.offset !== undefined &&
      error.offset + longestValue <= bytes.length;
    if (isWhole || isKnown || bytes.length >= maxHeaderBytes) throw error;
    return undefined;
  }
}

/** The file with zeros behind what is known: a header is read in windows that reach beyond its end. */
function beginningOf({ path, size }: HubFile, bytes: Uint8Array): ByteSource {
  return {
    name: path,
    size,
    read: (offset, length) => {
      if (offset + length <= bytes.length) return bytes.subarray(offset, offset + length);
      const padded = new Uint8Array(length);
      padded.set(bytes.subarray(Math.min(offset, bytes.length)));
      return padded;
    },
  };
}
