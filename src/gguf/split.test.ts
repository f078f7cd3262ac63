import { copyFileSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { FileFormatError } from "../core/errors.ts";
import { convertPlainly } from "../quant/convert-blocks.ts";
import { openGguf } from "./open.ts";
import { quantiseModel } from "./quantize-model.ts";
import { type MetadataValue, metadataValue } from "./value.ts";
import { type GgufToWrite, writeGguf } from "./write.ts";

const folder = mkdtempSync(join(tmpdir(), "hearth-split-"));
afterAll(() => rmSync(folder, { recursive: true }));

const u16 = (value: number): MetadataValue => ({ kind: "number", type: "u16", value });

interface Claims {
  readonly count?: number;
  readonly no?: number;
  readonly tensors?: number;
  readonly magic?: "GGUF" | "PWRI";
  readonly tensorName?: string;
}

/** One part of three: tensor "t<index>" of 64 floats that are all `index`. */
async function writePart(stem: string, index: number, claims: Claims = {}): Promise<string> {
  const path = join(folder, `${stem}-0000${index + 1}-of-00003.gguf`);
  const data = new Uint8Array(Float32Array.from({ length: 64 }, () => index).buffer);
  const name = claims.tensorName ?? `t${index}.weight`;
  const file: GgufToWrite = {
    path,
    magic: claims.magic ?? "GGUF",
    metadata: [
      ...(index === 0 ? [["general.architecture", metadataValue.string("llama")] as const] : []),
      ["split.count", u16(claims.count ?? 3)],
      ["split.no", u16(claims.no ?? index)],
      ["split.tensors.count", metadataValue.i32(claims.tensors ?? 3)],
    ],
    tensors: [{ name, type: "F32", dimensions: [32, 2], data: () => [data] }],
  };
  await writeGguf(file);
  return path;
}

async function writeParts(stem: string, claims: readonly Claims[] = []): Promise<string[]> {
  return Promise.all([0, 1, 2].map((index) => writePart(stem, index, claims[index])));
}

describe("a split model", () => {
  it("opens by any of its parts as the same model", async () => {
    const paths = await writeParts("whole");
    const models = paths.map(openGguf);
    for (const model of models) {
      expect(model.files.map((file) => file.path)).toEqual(paths);
      expect(model.metadata.string("general.architecture")).toBe("llama");
      expect([...model.tensors.keys()]).toEqual(["t0.weight", "t1.weight", "t2.weight"]);
      expect(model.tensors.get("t2.weight")?.path).toBe(paths[2]);
    }
    expect(new Set(models.map((model) => model.fingerprint())).size).toBe(1);
  });

  it("becomes one file without split keys when it is quantised", async () => {
    const [, second = ""] = await writeParts("join");
    const output = join(folder, "joined.gguf");
    await quantiseModel({
      input: second,
      output,
      type: "Q8_0",
      isPure: false,
      convert: convertPlainly,
    });
    const joined = openGguf(output);
    expect(joined.tensors.size).toBe(3);
    expect([...joined.metadata.entries()].some(([key]) => key.startsWith("split."))).toBe(false);
    await expect(
      quantiseModel({
        input: second,
        output: second,
        type: "F16",
        isPure: false,
        convert: convertPlainly,
      }),
    ).rejects.toThrow();
  });

  it("with a missing part is refused by the name of that part", async () => {
    const paths = await writeParts("missing");
    rmSync(paths[1] ?? "");
    expect(() => openGguf(paths[0] ?? "")).toThrow(/missing-00002-of-00003.gguf/);
  });

  it.each<[string, readonly Claims[], RegExp]>([
    ["another count in a part", [{}, { count: 4 }], /00002.*split.count: found 4, expected 3/],
    ["another count than the name", [{ count: 2 }], /split.count: found 2, expected 3, as the/],
    ["a part out of order", [{}, { no: 2 }], /00002.*split.no: found 2, expected 1/],
    ["another number of tensors", [{ tensors: 4 }], /split.tensors.count: found 4, expected 3/],
    ["another magic in a part", [{}, {}, { magic: "PWRI" }], /00003.*magic: found PWRI/],
    [
      "a tensor in two parts",
      [{}, { tensorName: "t0.weight" }],
      /00002.*t0.weight.*each tensor once/,
    ],
  ])("with %s is refused", async (name, claims, message) => {
    const [first = ""] = await writeParts(name.replaceAll(" ", "-"), claims);
    expect(() => openGguf(first)).toThrow(FileFormatError);
    expect(() => openGguf(first)).toThrow(message);
  });

  it.each(["00000-of-00003", "00004-of-00003", "00000-of-00001", "00002-of-00001"])(
    "whose name claims to be part %s is refused",
    async (claim) => {
      const [first = ""] = await writeParts(`claims-${claim}`);
      const count = claim.endsWith("1") ? { count: 1 } : {};
      const whole = await writePart(`claims-${claim}-alone`, 0, count);
      const path = join(folder, `claims-${claim}.gguf`);
      copyFileSync(claim.endsWith("1") ? whole : first, path);
      expect(() => openGguf(path)).toThrow(FileFormatError);
      const found = Number(claim.slice(0, 5));
      const most = Number(claim.slice(-5));
      expect(() => openGguf(path)).toThrow(
        `found part ${found}, expected a part from 1 to ${most}`,
      );
    },
  );

  it("whose part was renamed says how parts are found", async () => {
    const [first = ""] = await writeParts("renamed");
    const copy = join(folder, "copy.gguf");
    copyFileSync(first, copy);
    expect(() => openGguf(copy)).toThrow(/split.count: found 3, expected a file name that ends in/);
  });
});

describe("a fingerprint", () => {
  it("stays with a copy and changes with the weights, the metadata and the magic", async () => {
    const write = async (
      name: string,
      value: number,
      options: Partial<GgufToWrite> = {},
    ): Promise<string> => {
      const path = join(folder, `${name}.gguf`);
      const data = (): Uint8Array[] => [new Uint8Array(1 << 20).fill(value)];
      const tensors = [{ name: "w", type: "F32", dimensions: [1 << 18], data }];
      await writeGguf({ path, metadata: [["a", metadataValue.u32(1)]], tensors, ...options });
      return path;
    };
    const first = await write("first", 1);
    const copy = join(folder, "first-copy.gguf");
    copyFileSync(first, copy);
    const others = await Promise.all([
      write("weights", 2),
      write("metadata", 1, { metadata: [["a", metadataValue.u32(2)]] }),
      write("magic", 1, { magic: "PWRI" }),
    ]);
    const fingerprint = openGguf(first).fingerprint();
    expect(fingerprint).toMatch(/^[0-9a-f]{64}$/);
    expect(openGguf(copy).fingerprint()).toBe(fingerprint);
    const different = others.map((path) => openGguf(path).fingerprint());
    expect(new Set([fingerprint, ...different]).size).toBe(4);
  });

  it("sees the last bytes of the data", async () => {
    const path = await writePart("last", 0, { count: 0 });
    const renamed = join(folder, "last.gguf");
    copyFileSync(path, renamed);
    const before = openGguf(renamed).fingerprint();
    const handle = await open(renamed, "r+");
    await handle.write(Uint8Array.of(0xff), 0, 1, statSync(renamed).size - 1);
    await handle.close();
    expect(openGguf(renamed).fingerprint()).not.toBe(before);
  });
});
