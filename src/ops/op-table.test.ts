/** The table of ops: what its rules say of each kind, and that nothing beside it and the lowerings asks for kinds. */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve, sep } from "node:path";
import { describe, expect, it } from "vitest";
import { checkProgram } from "./check-program.ts";
import type { Op, OpOf, Slot, Weight } from "./op.ts";
import { opTable } from "./op-table.ts";
import type { Program } from "./program.ts";
import { addsOnlyTo, rowsOfOp, slotOverwritten, slotsOf, slotsRead } from "./slot-access.ts";

const slot = (id: number, width: number, rows: Slot["rows"] = "step"): Slot => ({
  id,
  name: `s${id}`,
  width,
  rows,
});
const [x, y, outputs] = [slot(0, 4), slot(1, 4), slot(2, 4, "outputs")] as const;

function matrix(rows: number, columns: number): Weight {
  const bytes = { kind: "memory", data: new Uint8Array(4 * rows * columns) } as const;
  return { name: "w", type: "F32", rows, columns, bytes };
}

const matmul: OpOf<"matmul"> = {
  kind: "matmul",
  x,
  out: y,
  into: "add",
  weight: matrix(4, 4),
};

describe("what an op does to a slot", () => {
  it("is read and written where the op adds to it", () => {
    expect(slotsRead(matmul)).toEqual([x, y]);
    expect(slotsRead({ kind: "add", x, out: y })).toEqual([x, y]);
    expect(slotsRead({ ...matmul, into: "assign" })).toEqual([x]);
  });

  it("is no mere addition where the op's input lies in it", () => {
    expect(addsOnlyTo(matmul, y)).toBe(true);
    expect(addsOnlyTo(matmul, x)).toBe(false);
    expect(addsOnlyTo({ kind: "add", x, out: x }, x)).toBe(false);
    expect(addsOnlyTo({ ...matmul, into: "assign" }, y)).toBe(false);
  });

  it("overwrites it unless what was there is used", () => {
    expect(slotOverwritten({ kind: "copy", x, out: y })).toBe(y);
    expect(slotOverwritten({ kind: "mask", x, out: x, value: 0 })).toBeUndefined();
    expect(slotOverwritten(matmul)).toBeUndefined();
    expect(slotOverwritten({ kind: "store-kv", layer: 0, k: x, v: y })).toBeUndefined();
  });

  it("names each slot once, and its rows are those of what it writes", () => {
    expect(slotsOf({ kind: "mask", x, out: x, value: 0 })).toEqual([x]);
    expect(rowsOfOp({ kind: "select", x, out: outputs })).toBe("outputs");
    expect(rowsOfOp({ kind: "store-kv", layer: 0, k: x, v: y })).toBe("step");
  });
});

describe("a program is refused", () => {
  const check = (op: Op, slots: readonly Slot[] = [x, y, outputs]): void => {
    const layer = { kind: "full", kvHeads: 1, keyWidth: 4, valueWidth: 4 } as const;
    const program: Program = {
      slots,
      segments: [{ name: "all", ops: [op], outputs: [] }],
      maxRows: 1,
      maxOutputs: 1,
      kv: { layers: [layer], contextLength: 8, sequences: 1, type: "f32" },
    };
    checkProgram(program);
  };
  const embed: OpOf<"embed"> = { kind: "embed", out: x, table: matrix(2, 4), scale: 1 };
  const attention = { kind: "attention", layer: 0, heads: 1, scale: 1 } as const;

  it("that looks tokens or positions up for other rows than the step's", () => {
    expect(() => check(embed)).not.toThrow();
    expect(() => check({ ...embed, out: outputs })).toThrow(/embed.*rows of the step.*outputs/);
    expect(() => check({ ...attention, q: x, out: y })).not.toThrow();
    expect(() => check({ ...attention, q: outputs, out: outputs })).toThrow(/attention.*rows of/);
    expect(() => check({ kind: "store-kv", layer: 0, k: outputs, v: outputs })).toThrow(/rows of/);
  });

  it("whose context is longer than its table of positions", () => {
    const positions = (rows: number) => ({ weight: matrix(rows, 4), offset: 2 });
    expect(() => check({ ...embed, positions: positions(10) })).not.toThrow();
    expect(() => check({ ...embed, positions: positions(9) })).toThrow(/10 position rows.*9/);
  });

  it("that takes a part of what is not there, or of groups that are not equal", () => {
    const half = slot(3, 2);
    const slots = [x, y, outputs, half];
    const part = (change: Partial<OpOf<"part">>): void =>
      check({ kind: "part", x, out: half, groups: 2, first: 1, ...change }, slots);
    expect(() => part({})).not.toThrow();
    expect(() => part({ first: 2 })).toThrow(/part.*within 2 elements.*3/);
    expect(() => part({ groups: 3 })).toThrow(/3 equal groups/);
    expect(() => part({ out: x, first: 0 })).toThrow(/another slot/);
  });

  it.each([
    ["a window of nothing", { window: 0 }, /window from 1 to 2147483647.*0/],
    ["a window of half a token", { window: 1.5 }, /window from 1.*1\.5/],
    ["a window beyond 31 bits", { window: 2 ** 31 }, /window from 1 to 2147483647/],
    ["a cap that is no number", { softCap: Number.NaN }, /soft cap above 0.*NaN/],
    ["a cap of 0", { softCap: 0 }, /soft cap above 0/],
    ["an infinite cap", { softCap: Infinity }, /soft cap above 0.*Infinity/],
    ["sinks of other heads", { sinks: matrix(1, 2) }, /\[1, 1\].*\[1, 2\]/],
  ])("whose attention has %s", (_, change, message) => {
    expect(() => check({ ...attention, q: x, out: y, window: 3, softCap: 2 })).not.toThrow();
    expect(() => check({ ...attention, q: x, out: y, ...change })).toThrow(message);
  });

  it("whose attention looks back further than its layer remembers, or whose ring is too small", () => {
    const layer = { kind: "window", kvHeads: 1, keyWidth: 4, valueWidth: 4, window: 8 } as const;
    const checked = (op: Partial<OpOf<"attention">>, cells = 64): void =>
      checkProgram({
        slots: [x, y],
        segments: [{ name: "all", ops: [{ ...attention, q: x, out: y, ...op }], outputs: [] }],
        maxRows: 50,
        maxOutputs: 1,
        kv: { layers: [{ ...layer, cells }], contextLength: 100, sequences: 1, type: "f32" },
      });
    expect(() => checked({ window: 8 })).not.toThrow();
    expect(() => checked({ window: 8 }, 100)).not.toThrow();
    expect(() => checked({ window: 9 })).toThrow(/window from 1 to 8.*9/);
    expect(() => checked({})).toThrow(/window from 1 to 8.*undefined/);
    expect(() => checked({ window: 8 }, 57)).toThrow(/layer 0.*whole tiles/);
    expect(() => checked({ window: 8 }, 0)).toThrow(/layer 0.*50 rows/);
  });

  it("whose slots are another program's", () => {
    expect(() => check({ kind: "copy", x, out: slot(1, 4) })).toThrow(/a slot of the program.*s1/);
  });
});

/**
 * Comparisons with the name of a kind, by file: fusions, and code that cares for one kind. A question that every kind
 * must answer belongs in the table, a computation of every kind in a backend's own `ByKind`.
 */
const branches: Readonly<Record<string, number>> = {
  "backends/conformance/bounded-run.ts": 1,
  "backends/conformance/channels.ts": 2,
  "backends/cpu/top-k.ts": 2,
  "backends/reference/executable.ts": 3,
  "backends/webgpu/ffn-counter.ts": 3,
  "backends/webgpu/kernels/rows.ts": 1,
  "backends/webgpu/lower-attention.ts": 4,
  "backends/webgpu/lower-product.ts": 1,
  "backends/webgpu/recording.ts": 2,
  "commands/prediction/product-counts.ts": 4,
  "devices/hybrid/describe-units.ts": 2,
  "devices/hybrid/description.ts": 3,
  "devices/hybrid/partition.ts": 5,
  "devices/hybrid/placed-op.ts": 8,
  "devices/hybrid/split-block.ts": 1,
  "engine/planner.ts": 1,
  "engine/token-overhead.ts": 5,
  "model/expose-routes.ts": 1,
  "model/expose.ts": 1,
  // Kinds of other unions that share a name: a request to the device thread, how a model knows positions.
  "devices/thread/host.ts": 1,
  "derived-weights/channel-copies.ts": 1,
  "model/build-program.ts": 1,
  "model/describe.ts": 1,
  "model/graph.ts": 1,
  "model/model.ts": 1,
  "model/rope-tables.ts": 1,
};

describe("branches on the kind of an op", () => {
  const root = resolve(import.meta.dirname, "..");
  const names = Object.keys(opTable).join("|");
  const pattern = new RegExp(`(?:case|kind [!=]==)\\s+"(?:${names})"`, "g");
  const countIn = (source: string): number => source.match(pattern)?.length ?? 0;
  const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter(
    (file) => file.endsWith(".ts") && !file.endsWith(".test.ts"),
  );
  const found = files.flatMap((file) => {
    const count = countIn(readFileSync(join(root, file), "utf8"));
    return count === 0 ? [] : [[file.replaceAll(sep, "/"), count] as const];
  });

  it("are looked for in a tree of files, with the names of the table", () => {
    expect(files.length).toBeGreaterThan(340);
    expect(Object.keys(opTable).length).toBeGreaterThan(13);
    expect(countIn('case "matmul":\n if (op.kind !== "top-k" || a?.kind === "rope")')).toBe(3);
  });

  it("are only those that are listed here", () => {
    expect(Object.fromEntries(found)).toEqual(branches);
  });
});
