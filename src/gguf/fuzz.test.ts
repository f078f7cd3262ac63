/** Damaged headers: whatever a file claims, opening ends in a header or a FileFormatError, soon and in little memory. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FileFormatError } from "../core/errors.ts";
import { createRandom, type Random } from "../core/random.ts";
import { type ByteSource, withFile } from "../io/byte-source.ts";
import { memorySource } from "../io/memory-source.ts";
import { encodeHeader } from "./encode.ts";
import { everyValue, sampleTensors } from "./fixture.ts";
import { readGgufHeader } from "./header.ts";

/** At least 10 000 cases are asked for; the small file gets most, the real one shows nothing else but takes longer. */
const smallCases = 20_000;
const realCases = 2_000;
/** A header of some KiB parses in well under a millisecond; 2 s allow for a machine that is busy with other things. */
const slowestMilliseconds = 2000;
/** A lie of a few bytes must not make the reader allocate more than some copies of the file itself. */
const memoryMargin = 256 * 1024 * 1024;

const lies = [0n, 1n, 2n, 3n, 0x7fn, 0xffn, 0xffffn, 0x7fffffffn, 0xffffffffn, 1n << 32n].concat([
  (1n << 53n) - 1n,
  1n << 53n,
  (1n << 63n) - 1n,
  (1n << 64n) - 1n,
]);

type Mutation = (bytes: Uint8Array, random: Random) => Uint8Array;

const mutations: Readonly<Record<string, Mutation>> = {
  "a flipped bit": (bytes, random) => {
    const at = random.integer(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.integer(8));
    return bytes;
  },
  "some random bytes": (bytes, random) => {
    for (let count = 1 + random.integer(8); count > 0; count--) {
      bytes[random.integer(bytes.length)] = random.integer(256);
    }
    return bytes;
  },
  truncation: (bytes, random) => bytes.slice(0, random.integer(bytes.length)),
  "a lie of 8 bytes": (bytes, random) => {
    const at = random.integer(bytes.length - 8);
    new DataView(bytes.buffer).setBigUint64(at, lies[random.integer(lies.length)] ?? 0n, true);
    return bytes;
  },
  "a lie of 4 bytes": (bytes, random) => {
    const lie = Number(BigInt.asUintN(32, lies[random.integer(lies.length)] ?? 0n));
    new DataView(bytes.buffer).setUint32(random.integer(bytes.length - 4), lie, true);
    return bytes;
  },
  "an inserted length": (bytes, random) => {
    const at = random.integer(bytes.length);
    const inserted = new Uint8Array(8);
    const lie = lies[random.integer(lies.length)] ?? 0n;
    new DataView(inserted.buffer).setBigUint64(0, lie, true);
    return new Uint8Array(Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at)]));
  },
  "two swapped fields": (bytes, random) => {
    const width = random.integer(2) === 0 ? 4 : 8;
    const first = random.integer(bytes.length - width);
    const second = random.integer(bytes.length - width);
    const saved = bytes.slice(first, first + width);
    bytes.copyWithin(first, second, second + width);
    bytes.set(saved, second);
    return bytes;
  },
  "a removed piece": (bytes, random) => {
    const at = random.integer(bytes.length);
    const end = Math.min(bytes.length, at + 1 + random.integer(32));
    return new Uint8Array(Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)]));
  },
};

interface Outcome {
  readonly opened: number;
  readonly refused: number;
  readonly slowest: number;
}

/** A sound file: its header, and how many bytes of data follow. */
interface SeedFile {
  readonly header: Uint8Array;
  readonly dataBytes: number;
}

/** A file that goes on with zeros, which take no memory until somebody reads them. */
function withZeros(header: Uint8Array, dataBytes: number): ByteSource {
  const size = header.length + dataBytes;
  const inMemory = memorySource("fuzz.gguf", header);
  return {
    name: "fuzz.gguf",
    size,
    read: (offset, length) => {
      if (offset + length <= header.length) return inMemory.read(offset, length);
      const bytes = new Uint8Array(length);
      bytes.set(header.subarray(offset, offset + length));
      return bytes;
    },
  };
}

/** Every failure that is not a FileFormatError is thrown on, with the seed that led to it. */
function fuzz(file: SeedFile, cases: number, firstSeed: number): Outcome {
  const names = Object.keys(mutations);
  const outcome = { opened: 0, refused: 0, slowest: 0 };
  for (let index = 0; index < cases; index++) {
    const seed = firstSeed + index;
    const random = createRandom(seed);
    const name = names[index % names.length] ?? "";
    const mutate = mutations[name];
    if (mutate === undefined) throw new Error(`no mutation ${name}`);
    const damaged = mutate(file.header.slice(), random);
    const before = process.cpuUsage();
    try {
      const header = readGgufHeader(withZeros(damaged, file.dataBytes));
      for (const [, value] of header.metadata.entries()) {
        if (value.kind === "strings") value.values.toArray();
      }
      outcome.opened++;
    } catch (error) {
      if (!(error instanceof FileFormatError))
        throw new Error(`${name}, seed ${seed}`, { cause: error });
      if (!error.message.startsWith("fuzz.gguf: ")) throw error;
      outcome.refused++;
    }
    // Processor time: the machine may be busy with other tests.
    const { user, system } = process.cpuUsage(before);
    outcome.slowest = Math.max(outcome.slowest, (user + system) / 1000);
  }
  return outcome;
}

function smallFile(): SeedFile {
  const typeIds = [0, 2, 1, 14];
  let offset = 0;
  const tensors = sampleTensors.map(({ name, dimensions, data }, index) => {
    const place = { name, dimensions, typeId: typeIds[index] ?? 0, offset };
    offset += Math.ceil((data()[0]?.length ?? 0) / 32) * 32;
    return place;
  });
  const header = encodeHeader({ magic: "GGUF", metadata: everyValue, tensors });
  return { header: new Uint8Array(header), dataBytes: offset + 32 };
}

describe("a damaged header", () => {
  it("opens or is refused with a FileFormatError, quickly (20 000 small files)", () => {
    const file = smallFile();
    expect(readGgufHeader(withZeros(file.header, file.dataBytes)).tensors).toHaveLength(4);
    const before = process.memoryUsage.rss();
    const outcome = fuzz(file, smallCases, 1);
    expect(outcome.opened + outcome.refused).toBe(smallCases);
    expect(outcome.opened).toBeGreaterThan(smallCases / 100);
    expect(outcome.refused).toBeGreaterThan(smallCases / 4);
    expect(outcome.slowest).toBeLessThan(slowestMilliseconds);
    expect(process.memoryUsage.rss() - before).toBeLessThan(memoryMargin);
  });

  it("opens or is refused with a FileFormatError, quickly (2 000 of the bundled model)", () => {
    const path = join(import.meta.dirname, "../../models/default.gguf");
    const { dataOffset } = withFile(path, readGgufHeader);
    const bytes = readFileSync(path);
    const header = new Uint8Array(bytes.subarray(0, dataOffset));
    const dataBytes = bytes.length - dataOffset;
    const outcome = fuzz({ header, dataBytes }, realCases, 1_000_000);
    expect(outcome.opened + outcome.refused).toBe(realCases);
    expect(outcome.opened).toBeGreaterThan(realCases / 100);
    expect(outcome.refused).toBeGreaterThan(realCases / 4);
    expect(outcome.slowest).toBeLessThan(slowestMilliseconds);
  });
});
