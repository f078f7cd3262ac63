/** When weights are moved into huge pages, by an addon that only says what it was asked for. */
import { describe, expect, it } from "vitest";
import type { Bytes } from "../../core/units.ts";
import type { Addon } from "../addon.ts";
import { createMappedFiles, type FileOptions, fileUse } from "./mapped-files.ts";

const MiB = 1024 * 1024;

/** Two files of 100 MiB, whose weights lie behind 1 MiB of header. */
const stretches = ["a", "b"].map((path) => ({ path, offset: MiB, bytes: 99 * MiB }));
const weightBytes: Bytes = 2 * 99 * MiB;

interface Move {
  readonly ends: readonly number[];
  readonly isAtOnce: number;
}

/** What the addon was asked for, and what the caller was told. */
async function move(options: FileOptions, available: Bytes, wanted = stretches) {
  const moves: Move[] = [];
  let polls = 0;
  const addon: Pick<Addon, "openFile" | "closeFile" | "moveToHugePages" | "bytesToMove"> = {
    openFile: () => ({ handle: {}, bytes: 100 * MiB }),
    closeFile: () => {},
    moveToHugePages: (_, ends, isAtOnce) => {
      moves.push({ ends: [...ends], isAtOnce });
      return 98 * MiB;
    },
    bytesToMove: () => (++polls < 5 ? MiB : 0),
  };
  const files = createMappedFiles(addon, fileUse(options));
  for (const { path } of wanted) files.open(path);
  const bytes = await files.moveToHugePages(wanted, available, undefined);
  return { moves, polls, bytes };
}

describe("weights in huge pages", () => {
  it("move file by file while the model is used, where three times their bytes are available", async () => {
    const { moves, polls, bytes } = await move({}, 3 * weightBytes);
    expect(moves).toEqual([
      { ends: [MiB, 100 * MiB], isAtOnce: 0 },
      { ends: [MiB, 100 * MiB], isAtOnce: 0 },
    ]);
    expect(polls).toBe(0);
    expect(bytes).toBe(2 * 98 * MiB);
  });

  it("have moved when the engine is open, if that is asked for", async () => {
    const { moves, polls } = await move({ hugePages: "before" }, 3 * weightBytes);
    expect(moves.map(({ isAtOnce }) => isAtOnce)).toEqual([1, 1]);
    expect(polls).toBeGreaterThanOrEqual(5);
  });

  it.each([
    ["memory is short", {}, 3 * weightBytes - 1],
    ["it is not wanted", { hugePages: "never" }, 100 * weightBytes],
    ["the file is read, not mapped", { mmap: false }, 100 * weightBytes],
    ["its pages are locked", { mlock: true }, 100 * weightBytes],
  ] as const)("stay where they are when %s", async (_, options, available) => {
    expect(await move(options, available)).toEqual({ moves: [], polls: 0, bytes: 0 });
  });

  it("stay where they are when small pages reach them", async () => {
    const small = [{ path: "a", offset: 0, bytes: 64 * MiB - 1 }];
    expect((await move({}, 100 * weightBytes, small)).moves).toEqual([]);
  });

  it("are no longer waited for when the caller gives up", async () => {
    const addon = {
      openFile: () => ({ handle: {}, bytes: 100 * MiB }),
      closeFile: () => {},
      moveToHugePages: () => 98 * MiB,
      bytesToMove: () => MiB,
    };
    const files = createMappedFiles(addon, fileUse({ hugePages: "before" }));
    files.open("a");
    const wait = files.moveToHugePages(stretches, 3 * weightBytes, AbortSignal.abort());
    await expect(wait).rejects.toThrow(/abort/i);
  });
});
