/** How weights get onto a card, without one: what is read, how often a file is opened, and what is written. */
import { copyFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { tensorType, type WeightType, weightTypes } from "../../core/dtype.ts";
import { MiB } from "../../core/units.ts";
import { loadAddon } from "../addon.ts";
import type { BufferSpec, MatrixPart } from "./kernel.ts";
import { openRowPacker, plainPacker } from "./row-packer.ts";
import { uploadAll } from "./upload.ts";
import { pieceBytes, rowPieces } from "./upload-pieces.ts";
import { packRows, rowLayout } from "./weight-layout.ts";

const folder = mkdtempSync(join(tmpdir(), "hearth-upload-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function part(from: Partial<MatrixPart> & Pick<MatrixPart, "type" | "columns">): MatrixPart {
  const data = new Uint8Array(0);
  return {
    kind: "rows",
    name: "w",
    bytes: { kind: "memory", data },
    firstRow: 0,
    rowCount: 0,
    ...from,
  };
}

/** About `share` of the rows, here and there, the same each time. */
function someRows(count: number, share: number): Uint32Array {
  const all = Array.from({ length: count }, (_, row) => row);
  return Uint32Array.from(all.filter((row) => ((row * 2654435761) >>> 0) / 2 ** 32 < share));
}

/** `rows` rows of bytes without a pattern. */
function fileOf(name: string, bytes: number): { readonly path: string; readonly data: Uint8Array } {
  const data = new Uint8Array(bytes);
  for (let i = 0; i < bytes; i++) data[i] = Math.imul(i, 0x9e3779b1) >>> 13;
  const path = join(folder, name);
  writeFileSync(path, data);
  return { path, data };
}

describe("pieces of an upload", () => {
  // A feed-forward matrix of a 70B model, of which a third is hot.
  const rows = someRows(28672, 1 / 3);
  const matrix = part({ type: "Q4_0", columns: 8192, rows, rowCount: rows.length });

  it("reads neighbouring hot rows together with the few between them", () => {
    const pieces = [...rowPieces(matrix)];
    const reads = pieces.flatMap(({ spans }) => spans).length;
    const read = pieces.reduce((sum, { rowsRead }) => sum + rowsRead, 0);
    // One by one they were 6 400 runs; all of the file once is 28 672 rows.
    expect(reads).toBeLessThan(100);
    expect(read).toBeLessThanOrEqual(28672);
  });

  it("leaves out what is far between: a tenth of the rows of 128 KiB is read, no more", () => {
    const few = someRows(4096, 0.1);
    const wide = part({ type: "F16", columns: 65536, rows: few, rowCount: few.length });
    const read = [...rowPieces(wide)].reduce((sum, { rowsRead }) => sum + rowsRead, 0);
    expect(read).toBe(few.length);
  });

  it("names each wanted row once, in order, within its buffer", () => {
    const found = [...rowPieces(matrix)].flatMap(({ spans, places, rowsRead, layout }) => {
      expect(rowsRead * layout.fileBytes).toBeLessThanOrEqual(pieceBytes);
      const held = spans.flatMap(({ first, count }) =>
        Array.from({ length: count }, (_, i) => first + i),
      );
      expect(held.length).toBe(rowsRead);
      return [...places].map((place) => held[place]);
    });
    expect(found).toEqual([...rows]);
  });

  it("takes rows in any order, as exchanges leave them", () => {
    const [piece] = rowPieces(
      part({ type: "F32", columns: 4, rows: Uint32Array.of(7, 3, 4, 0), rowCount: 4 }),
    );
    expect(piece?.spans.map(({ first, count }) => [first, count])).toEqual([
      [7, 1],
      [3, 2],
      [0, 1],
    ]);
    expect([...(piece?.places ?? [])]).toEqual([0, 1, 2, 3]);
  });
});

const isMissing = loadAddon().kind === "missing";
const columnsOf = (type: WeightType): readonly number[] => {
  const { blockElements } = tensorType(type);
  return [blockElements, 3 * blockElements, 8 * blockElements];
};

describe.skipIf(isMissing)("packing by the addon", () => {
  it.each(weightTypes)("%s rows have the bytes that JavaScript gives them", async (type) => {
    using packer = openRowPacker();
    for (const columns of columnsOf(type)) {
      const layout = rowLayout(type, columns);
      const source = fileOf("rows", 9 * layout.fileBytes).data;
      const places = Uint32Array.of(0, 2, 3, 8);
      const native = new Uint8Array(4 * layout.gpuBytes).fill(255);
      await packer.pack(layout, { source, places, target: native });
      const plain = new Uint8Array(4 * layout.gpuBytes);
      await plainPacker.pack(layout, { source: source.slice(), places, target: plain });
      expect(native).toEqual(plain);
    }
  });
});

/** A card that keeps what is written, as far as an upload sees it; `largest` is what waited for it at once. */
function fakeCard(): {
  readonly device: GPUDevice;
  readonly memory: Uint8Array;
  largestBacklog: number;
} {
  let backlog = 0;
  const card = {
    memory: new Uint8Array(80 * MiB),
    largestBacklog: 0,
    device: {
      queue: {
        writeBuffer: (_: unknown, at: number, data: ArrayBuffer, from: number, length: number) => {
          card.memory.set(new Uint8Array(data, from, length), at);
          backlog += length;
          card.largestBacklog = Math.max(card.largestBacklog, backlog);
        },
        onSubmittedWorkDone: async () => {
          const submitted = backlog;
          await new Promise((resolve) => setTimeout(resolve, 2));
          backlog -= submitted;
        },
      },
    } as unknown as GPUDevice,
  };
  return card;
}

describe("an upload", () => {
  const columns = 4096;
  const layout = rowLayout("Q4_0", columns);
  const rows = someRows(24_000, 0.9);
  const { path, data } = fileOf("model", 24_000 * layout.fileBytes);
  const bytes = { kind: "file", path, offset: 0, bytes: data.length } as const;
  const hot = part({ type: "Q4_0", columns, rows, rowCount: rows.length, bytes });
  const whole = part({ type: "Q4_0", columns, rowCount: 7, firstRow: 2, bytes });
  const spec: BufferSpec = {
    label: "weights",
    bytes: (rows.length + 7) * layout.gpuBytes,
    purpose: "weights",
    contents: [hot, whole],
  };
  const buffers = new Map([[spec, {} as GPUBuffer]]);
  const total = spec.bytes;

  function expected(): Uint8Array {
    const wanted = [...rows, 2, 3, 4, 5, 6, 7, 8];
    const source = new Uint8Array(wanted.length * layout.fileBytes);
    wanted.forEach((row, i) => {
      const begin = row * layout.fileBytes;
      source.set(data.subarray(begin, begin + layout.fileBytes), i * layout.fileBytes);
    });
    const target = new Uint8Array(wanted.length * layout.gpuBytes);
    packRows(layout, { source, target, rows: wanted.length });
    return target;
  }

  it("writes hot rows and whole matrices where they belong, with few bytes waiting for the card", async () => {
    const card = fakeCard();
    const progress: number[] = [];
    const onProgress = ({ done }: { readonly done: number }): void => void progress.push(done);
    await uploadAll(buffers, { device: card.device, total, onProgress });
    expect(Buffer.compare(card.memory.subarray(0, total), expected())).toBe(0);
    expect(progress.at(-1)).toBe(total);
    expect(card.largestBacklog).toBeLessThanOrEqual(2.5 * pieceBytes);
  });

  it("opens the file once: whoever moves it away meanwhile changes nothing", async () => {
    const card = fakeCard();
    const copy = join(folder, "moved");
    copyFileSync(path, copy);
    const moved = { ...bytes, path: copy };
    const contents = [
      { ...hot, bytes: moved },
      { ...whole, bytes: moved },
    ];
    const onProgress = (): void => rmSync(copy, { force: true });
    const others = new Map([[{ ...spec, contents }, {} as GPUBuffer]]);
    await uploadAll(others, { device: card.device, total, onProgress });
    expect(Buffer.compare(card.memory.subarray(0, total), expected())).toBe(0);
  });

  it("says which file ended early, and stops at a signal", async () => {
    const copy = join(folder, "short");
    copyFileSync(path, copy);
    truncateSync(copy, data.length / 2);
    const contents = [{ ...hot, bytes: { ...bytes, path: copy } }];
    const short = new Map([[{ ...spec, contents }, {} as GPUBuffer]]);
    const { device } = fakeCard();
    await expect(uploadAll(short, { device, total })).rejects.toThrow(/short.*early/s);
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(uploadAll(buffers, { device, total, signal })).rejects.toThrow("enough");
  });
});
