/**
 * A conversation in a file: its tokens, and what the model's layers remember of them, so that it goes on without being read
 * again. docs/formats/state.md. The file is written whole or not at all, and is judged before anything of it is used.
 */
import { createHash, type Hash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { setImmediate as nextTurn } from "node:timers/promises";
import { counted } from "../core/counted.ts";
import { FileFormatError, LimitError } from "../core/errors.ts";
import { type Bytes, KiB, MiB, type Tokens } from "../core/units.ts";
import { type ByteSource, openSource } from "../io/byte-source.ts";
import { replaceFile } from "../io/replace-file.ts";
import type { KvLayer, KvShape } from "../ops/kv-shape.ts";
import {
  type HeldState,
  type PlacedPart,
  placedParts,
  type StatePart,
} from "../ops/state-parts.ts";

const magic = "HEARTHST";
const version = 1;
/** Magic, version, and the length of the header. */
const preambleBytes = 16;
/** Layers take some 120 bytes each: a thousand of them. */
const maxHeaderBytes: Bytes = 128 * KiB;
/** What a caller keeps beside a conversation: its messages as text. */
export const maxNoteBytes: Bytes = 64 * MiB;
const digestBytes = 32;
/** Beside the sequence itself; each is as large as the layers that forget. */
export const maxSavedCheckpoints = 2;
const hashedPiece: Bytes = 4 * MiB;

/** What is in a file beside the bytes of the layers. */
interface NotedState extends HeldState {
  readonly note: string;
}

/** What a file must be of: the model, and what its layers remember. */
export interface StateOwner {
  readonly fingerprint: string;
  readonly vocabulary: number;
  readonly kv: KvShape;
}

/** Returns the bytes written. @throws FileAccessError, and what `read` throws. */
export async function writeStateFile(
  path: string,
  { owner, state }: { readonly owner: StateOwner; readonly state: NotedState },
  read: (placed: PlacedPart) => Promise<Uint8Array>,
): Promise<Bytes> {
  let written: Bytes = 0;
  await replaceFile(path, async (handle) => {
    const hash = createHash("sha256");
    const write = async (bytes: Uint8Array): Promise<void> => {
      hash.update(bytes);
      await writeAll(handle, bytes);
      written += bytes.length;
    };
    const note = Buffer.from(state.note);
    const header = Buffer.from(headerText(owner, state, note.length));
    const preamble = Buffer.alloc(preambleBytes);
    preamble.write(magic, "latin1");
    preamble.writeUInt32LE(version, 8);
    preamble.writeUInt32LE(header.length, 12);
    await write(preamble);
    await write(header);
    await write(note);
    await write(tokenBytes(state.tokens));
    for (const placed of placedParts(owner.kv, state)) await write(await read(placed));
    const digest = hash.digest();
    await writeAll(handle, digest);
    written += digest.length;
  });
  return written;
}

/** A file that was judged. Its parts are read in the order of `placedParts`; the opener closes it. */
export interface OpenedState extends NotedState, Disposable {
  read(part: StatePart): Uint8Array;
}

/**
 * Judges the whole file: nothing of it is used before.
 * @throws FileAccessError; FileFormatError where it is no such file, damaged, or of another model or cache; LimitError where
 * the context is too short for it.
 */
export async function openStateFile(path: string, owner: StateOwner): Promise<OpenedState> {
  const source = openSource(path);
  try {
    const { header, at: noteAt } = readHeader(source);
    judgeOwner(path, header, owner);
    const tokensAt = noteAt + header.noteBytes;
    const partsAt = tokensAt + 4 * header.length;
    const shape = { tokens: new Int32Array(header.length), checkpoints: header.checkpoints };
    let end = partsAt;
    for (const { part } of placedParts(owner.kv, shape)) end += part.bytes;
    if (source.size !== end + digestBytes) {
      fail(path, "size", counted(source.size, "byte"), counted(end + digestBytes, "byte"));
    }
    await judgeDigest(source, end);
    const tokens = readTokens(source, { at: tokensAt, length: header.length });
    const wrong = tokens.find((token) => token < 0 || token >= owner.vocabulary);
    if (wrong !== undefined) fail(path, "tokens", String(wrong), `ids below ${owner.vocabulary}`);
    const note = Buffer.from(source.read(noteAt, header.noteBytes)).toString("utf8");
    let at = partsAt;
    return {
      tokens,
      checkpoints: header.checkpoints,
      note,
      read: ({ bytes }) => {
        at += bytes;
        return source.read(at - bytes, bytes);
      },
      [Symbol.dispose]: () => source[Symbol.dispose](),
    };
  } catch (error) {
    source[Symbol.dispose]();
    throw error;
  }
}

interface FileHeader {
  readonly model: string;
  readonly cacheType: string;
  readonly layers: readonly unknown[];
  readonly length: Tokens;
  readonly checkpoints: readonly Tokens[];
  readonly noteBytes: Bytes;
}

function headerText(owner: StateOwner, state: NotedState, noteBytes: Bytes): string {
  const header: FileHeader = {
    model: owner.fingerprint,
    cacheType: owner.kv.type,
    layers: owner.kv.layers.map(layerShape),
    length: state.tokens.length,
    checkpoints: state.checkpoints,
    noteBytes,
  };
  return JSON.stringify(header);
}

/** What decides about the parts' bytes: how long a ring is does not. */
function layerShape(layer: KvLayer): unknown {
  if (layer.kind !== "window") return layer;
  const { cells, ...shape } = layer;
  return shape;
}

function readHeader(source: ByteSource): { readonly header: FileHeader; readonly at: Bytes } {
  const { name: path, size } = source;
  if (size < preambleBytes) fail(path, "size", counted(size, "byte"), "a state file of hearth");
  const preamble = Buffer.from(source.read(0, preambleBytes));
  const found = preamble.toString("latin1", 0, magic.length);
  if (found !== magic)
    fail(path, "magic", JSON.stringify(found), `"${magic}", a state file of hearth`);
  const ownVersion = preamble.readUInt32LE(8);
  if (ownVersion !== version) {
    fail(
      path,
      "version",
      String(ownVersion),
      `${version}: the file is of another version of hearth`,
    );
  }
  const bytes = preamble.readUInt32LE(12);
  if (bytes > maxHeaderBytes || preambleBytes + bytes > size) {
    fail(path, "header", counted(bytes, "byte"), `at most ${maxHeaderBytes}, within the file`);
  }
  const text = Buffer.from(source.read(preambleBytes, bytes)).toString("utf8");
  return { header: parseHeader(path, text), at: preambleBytes + bytes };
}

function parseHeader(path: string, text: string): FileHeader {
  let value: Partial<Record<keyof FileHeader, unknown>>;
  try {
    value = JSON.parse(text) ?? {};
  } catch {
    return fail(path, "header", "no JSON", "the header that hearth wrote");
  }
  const { model, cacheType, layers, length, checkpoints, noteBytes } = value;
  const isWhole = (count: unknown, least: number, most: number): count is number =>
    typeof count === "number" && Number.isInteger(count) && count >= least && count <= most;
  if (typeof model !== "string" || typeof cacheType !== "string" || !Array.isArray(layers)) {
    return fail(path, "header", "fields of other types", "model, cacheType and layers");
  }
  if (!isWhole(length, 1, 2 ** 31 - 1)) {
    return fail(path, "header length", JSON.stringify(length), "a number of tokens of at least 1");
  }
  if (!isWhole(noteBytes, 0, maxNoteBytes)) {
    return fail(path, "header noteBytes", JSON.stringify(noteBytes), `0 to ${maxNoteBytes}`);
  }
  const areRising =
    Array.isArray(checkpoints) &&
    checkpoints.length <= maxSavedCheckpoints &&
    checkpoints.every((at, i) => isWhole(at, i === 0 ? 1 : checkpoints[i - 1] + 1, length));
  if (!areRising) {
    const expected = `at most ${maxSavedCheckpoints} rising lengths up to ${length}`;
    return fail(path, "header checkpoints", JSON.stringify(checkpoints), expected);
  }
  return { model, cacheType, layers, length, checkpoints, noteBytes };
}

function judgeOwner(path: string, header: FileHeader, { fingerprint, kv }: StateOwner): void {
  if (header.model !== fingerprint) {
    const found = `one of the model ${header.model.slice(0, 12)}`;
    fail(path, "model", found, `one of this model, ${fingerprint.slice(0, 12)}`);
  }
  if (header.cacheType !== kv.type) {
    const expected = `${kv.type}, as this engine's; open the model with --cache-type ${header.cacheType}`;
    fail(path, "cache type", header.cacheType, expected);
  }
  const layers = JSON.stringify(kv.layers.map(layerShape));
  if (JSON.stringify(header.layers) !== layers) {
    fail(path, "layers", "layers of other shapes", "those of this model");
  }
  if (header.length > kv.contextLength) {
    throw new LimitError(
      `${path} holds ${counted(header.length, "token")}, the context ${kv.contextLength}; raise the context`,
    );
  }
}

async function judgeDigest(source: ByteSource, end: Bytes): Promise<void> {
  const hash: Hash = createHash("sha256");
  for (let at = 0; at < end; at += hashedPiece) {
    hash.update(source.read(at, Math.min(hashedPiece, end - at)));
    await nextTurn();
  }
  const found = Buffer.from(source.read(end, digestBytes)).toString("hex");
  const own = hash.digest("hex");
  if (found !== own) {
    fail(source.name, "checksum", found.slice(0, 12), `${own.slice(0, 12)}: the file is damaged`);
  }
}

function tokenBytes(tokens: Int32Array): Uint8Array {
  const bytes = Buffer.alloc(4 * tokens.length);
  tokens.forEach((token, i) => void bytes.writeInt32LE(token, 4 * i));
  return bytes;
}

function readTokens(
  source: ByteSource,
  { at, length }: { readonly at: Bytes; readonly length: Tokens },
): Int32Array {
  const bytes = Buffer.from(source.read(at, 4 * length));
  return Int32Array.from({ length }, (_, i) => bytes.readInt32LE(4 * i));
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done);
    done += bytesWritten;
  }
}

function fail(file: string, where: string, found: string, expected: string): never {
  throw new FileFormatError({ file, where, found, expected });
}
