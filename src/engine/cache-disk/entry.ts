/**
 * A file of the prefix cache: one page of a conversation, or what layers that forget remember behind one position.
 * docs/formats/prefix-cache.md. A file's name is a digest of all tokens up to its end, so that every process writes the
 * same file under the same name, and never changes it.
 */
import { createHash } from "node:crypto";
import type { Bytes, Tokens } from "../../core/units.ts";
import { type KvLayer, type KvShape, keepsCheckpoints } from "../../ops/kv-shape.ts";
import { markParts, pageParts, type StatePart } from "../../ops/state-parts.ts";
import { pageTokens } from "../../runtime/prefix/page-tree.ts";

const magic = "HEARTHPG";
const version = 1;
/** Magic, version, kind, position of the first token, number of tokens. */
const preambleBytes: Bytes = 24;
/** Of the owner, and of the tokens before. */
const nameDigits = 32;
export const digestBytes: Bytes = 32;
const kinds = ["page", "mark"] as const;

type EntryKind = (typeof kinds)[number];

/** What the bytes depend on beside the tokens: the model, how it is computed, and what its layers remember. */
export interface EntryOwner {
  readonly name: string;
  readonly vocabulary: number;
  readonly kv: KvShape;
}

/** Of a page: its tokens. Of a mark: those of its page up to it. */
export interface Entry {
  readonly kind: EntryKind;
  /** The name of the page before, or the owner's. */
  readonly parent: string;
  readonly first: Tokens;
  readonly tokens: Int32Array;
}

/** `sparsity`: which neurons are computed; approximate methods give other keys and values. */
export function entryOwner(model: {
  readonly fingerprint: string;
  readonly vocabulary: number;
  readonly sparsity: string;
  readonly kv: KvShape;
}): EntryOwner {
  const { fingerprint, vocabulary, sparsity, kv } = model;
  const layers = kv.layers.map((layer) => [
    shapeOf(layer),
    keepsCheckpoints(layer, kv.contextLength),
  ]);
  const facts = { version, fingerprint, sparsity, type: kv.type, pageTokens, layers };
  return { name: digest(JSON.stringify(facts)), vocabulary, kv };
}

/** How long a ring is decides nothing. */
function shapeOf(layer: KvLayer): unknown {
  if (layer.kind !== "window") return layer;
  const { cells, ...shape } = layer;
  return shape;
}

/** The digest that its children name as their parent. */
export function nameOf({ kind, parent, tokens }: Entry): string {
  return digest(`${parent} ${kind} ${tokens.join(" ")}`);
}

/** Sorted by name, those nearer to a conversation's beginning come first. */
export function fileOf(entry: Entry): string {
  const first = entry.first.toString(16).padStart(8, "0");
  return `${first}-${nameOf(entry)}.${entry.kind}`;
}

export function isEntryFile(file: string): boolean {
  return /^[0-9a-f]{8}-[0-9a-f]{32}\.(page|mark)$/.test(file);
}

export function isOwnerName(folder: string): boolean {
  return /^[0-9a-f]{32}$/.test(folder);
}

/** What its bytes are made of, in order. */
export function entryParts(kv: KvShape, { kind, first, tokens }: Entry): readonly StatePart[] {
  const { length } = tokens;
  return [...(kind === "page" ? pageParts(kv, first, length) : markParts(kv, first + length))];
}

/** What stands before the parts: all that a name is made of. */
export function headOf({ name }: EntryOwner, entry: Entry): Buffer {
  const { kind, parent, first, tokens } = entry;
  const head = Buffer.alloc(headBytes(tokens.length));
  head.write(magic, "latin1");
  head.writeUInt32LE(version, 8);
  head.writeUInt32LE(kinds.indexOf(kind), 12);
  head.writeUInt32LE(first, 16);
  head.writeUInt32LE(tokens.length, 20);
  head.write(name, preambleBytes, "latin1");
  head.write(parent, preambleBytes + nameDigits, "latin1");
  const tokensAt = preambleBytes + 2 * nameDigits;
  tokens.forEach((token, i) => void head.writeInt32LE(token, tokensAt + 4 * i));
  return head;
}

function headBytes(tokens: Tokens): Bytes {
  return preambleBytes + 2 * nameDigits + 4 * tokens;
}

/** Of the longest one. */
export const maxHeadBytes: Bytes = headBytes(pageTokens);

/** The entry that a file begins with; undefined for anything else, whatever it is. */
export function parseHead({ name, vocabulary }: EntryOwner, head: Buffer): Entry | undefined {
  if (head.length < preambleBytes || head.toString("latin1", 0, magic.length) !== magic) {
    return undefined;
  }
  const kind = kinds[head.readUInt32LE(12)];
  const [first, count] = [head.readUInt32LE(16), head.readUInt32LE(20)];
  const isOurs = head.readUInt32LE(8) === version && kind !== undefined;
  const isInBounds = first % pageTokens === 0 && count >= 1 && count <= pageTokens;
  if (!isOurs || !isInBounds || head.length < headBytes(count)) return undefined;
  const parentAt = preambleBytes + nameDigits;
  if (head.toString("latin1", preambleBytes, parentAt) !== name) return undefined;
  const tokensAt = parentAt + nameDigits;
  const parent = head.toString("latin1", parentAt, tokensAt);
  const tokens = Int32Array.from({ length: count }, (_, i) => head.readInt32LE(tokensAt + 4 * i));
  if (tokens.some((token) => token < 0 || token >= vocabulary)) return undefined;
  return { kind, parent, first, tokens };
}

/** Of the whole file. */
export function entryBytes(kv: KvShape, entry: Entry): Bytes {
  const parts = entryParts(kv, entry).reduce((sum, { bytes }) => sum + bytes, 0);
  return headBytes(entry.tokens.length) + parts + digestBytes;
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, nameDigits);
}
