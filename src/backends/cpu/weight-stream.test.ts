/** Programs whose weights do not stay in memory: the same bits as of those that do. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Weight } from "../../ops/op.ts";
import type { Program } from "../../ops/program.ts";
import { loadAddon } from "../addon.ts";
import { conformanceSample } from "../conformance/all-cases.ts";
import type { CaseScript, ConformanceCase } from "../conformance/case.ts";
import { outputsOf } from "../conformance/outputs-of.ts";
import { createProgramBuilder, memoryWeight, stepOf } from "../conformance/program-builder.ts";
import { createCpuBackend } from "./cpu-backend.ts";

const loaded = loadAddon();
const reason = loaded.kind === "missing" ? ` (skipped: ${loaded.reason})` : "";

const folder = mkdtempSync(join(tmpdir(), "hearth-stream-"));
afterAll(() => rmSync(folder, { recursive: true }));

const MiB = 1024 * 1024;

const readers = ["experts", "ffn", "matmul"];

/** Some of the cases, of each op that reads much: building all of them takes a minute. */
function readsWeights({ traits, scale }: ConformanceCase, index: number): boolean {
  return readers.includes(traits.op) && scale === "small" && index % 5 === 0;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Its weights of memory lie in a file from here on. */
function moveToFile(script: CaseScript, path: string): void {
  const parts: Uint8Array[] = [];
  let offset = 0;
  const seen = new Set<unknown>();
  const visit = (value: unknown): void => {
    if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return;
    if (seen.has(value)) return;
    seen.add(value);
    if (!("bytes" in value && "columns" in value)) {
      for (const inner of Object.values(value)) visit(inner);
      return;
    }
    const weight = value as Mutable<Weight>;
    if (weight.bytes.kind !== "memory") return;
    const { data } = weight.bytes;
    weight.bytes = { kind: "file", path, offset, bytes: data.byteLength };
    const padded = new Uint8Array(Math.ceil(data.byteLength / 64) * 64);
    padded.set(data);
    parts.push(padded);
    offset += padded.byteLength;
  };
  visit(script.program.segments);
  writeFileSync(path, Buffer.concat(parts));
}

/** So many products of 4 MiB, each of what the one before it gave, and one more in a segment of its own. */
function chainScript(length: number): CaseScript {
  const columns = 1024;
  const values = Float32Array.from(
    { length: columns * columns },
    (_, i) => ((i * 37) % 101) / 1600 - 0.03,
  );
  const builder = createProgramBuilder();
  const slots = Array.from({ length: length + 1 }, (_, i) => builder.slot(`x${i}`, columns));
  const op = (i: number) =>
    ({
      kind: "matmul",
      x: slots[i]!,
      out: slots[i + 1]!,
      into: "assign",
      weight: memoryWeight(`w${i}`, "F32", [columns, columns], values),
    }) as const;
  builder.segment(
    Array.from({ length: length - 1 }, (_, i) => op(i)),
    [slots[length - 1]!],
  );
  builder.segment([op(length - 1)], [slots[length]!]);
  const program: Program = builder.build({ maxRows: 4 });
  const step = stepOf(program, [{}]);
  const x = Float32Array.from({ length: columns }, (_, i) => Math.sin(i));
  return {
    program,
    actions: [
      { kind: "write", slot: slots[0]!, data: x },
      ...[0, 1, 0, 0, 1, 0, 1].map((segment) => ({ kind: "run", segment, step }) as const),
    ],
  };
}

describe.skipIf(loaded.kind === "missing")(`weights that pass through memory${reason}`, () => {
  it("give experts, blocks and products the same bits as weights that stay", async () => {
    using plenty = createCpuBackend({ threads: 2 });
    using scarce = createCpuBackend({ threads: 2, availableBytes: 0 });
    let compared = 0;
    for (const candidate of conformanceSample().filter(readsWeights)) {
      const script = candidate.build();
      const expected = await outputsOf(plenty, script);
      moveToFile(script, join(folder, `${compared}.bin`));
      const found = await outputsOf(scarce, script);
      const isSame = found.every((bytes, i) => Buffer.compare(bytes, expected[i]!) === 0);
      expect(isSame, candidate.name).toBe(true);
      compared += expected.length;
    }
    expect(compared).toBeGreaterThan(20);
    expect(scarce.notices.some((notice) => notice.startsWith("memory: the weights take"))).toBe(
      true,
    );
  }, 120_000);

  it.each([
    ["all", 39 * MiB, "40.0 MiB of them are read from the disk again for every token"],
    ["none, where they fit", 200 * MiB, undefined],
  ])("are read again and again: %s", async (_, availableBytes, sentence) => {
    const script = chainScript(10);
    using plenty = createCpuBackend({ threads: 1 });
    const expected = await outputsOf(plenty, script);
    moveToFile(script, join(folder, "chain.bin"));
    using scarce = createCpuBackend({ threads: 2, availableBytes });
    expect(await outputsOf(scarce, script)).toEqual(expected);
    if (sentence === undefined) expect(scarce.notices).toEqual([]);
    else expect(scarce.notices.join()).toContain(sentence);
  });
});
