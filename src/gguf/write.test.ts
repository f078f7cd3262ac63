import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readTensorBytes } from "../io/tensor-bytes.ts";
import { everyValue, sampleTensors } from "./fixture.ts";
import { openGguf } from "./open.ts";
import { metadataValue } from "./value.ts";
import { writeGguf } from "./write.ts";

const folder = mkdtempSync(join(tmpdir(), "hearth-gguf-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("writeGguf", () => {
  it("writes every metadata type and tensor so that reading gives the same", async () => {
    const path = join(folder, "all.gguf");
    await writeGguf({ path, metadata: everyValue, tensors: sampleTensors });
    const model = openGguf(path);
    expect(model.version).toBe(3);
    const read = new Map(model.metadata.entries());
    expect([...read.keys()]).toEqual([...everyValue.keys()]);
    for (const [key, value] of everyValue) expect(read.get(key), key).toEqual(value);
    expect([...model.tensors.keys()]).toEqual(sampleTensors.map((tensor) => tensor.name));
    for (const tensor of sampleTensors) {
      const info = model.tensors.get(tensor.name);
      expect(info).toMatchObject({ type: tensor.type, dimensions: tensor.dimensions });
      expect(info && readTensorBytes(info)).toEqual(
        new Uint8Array(Buffer.concat([...tensor.data()])),
      );
    }
  });

  it("writes what it read byte for byte, in the magic and alignment it had", async () => {
    const first = join(folder, "first.gguf");
    const second = join(folder, "second.gguf");
    const layout = { magic: "PWRI", alignment: 64 } as const;
    await writeGguf({ path: first, metadata: everyValue, tensors: sampleTensors, ...layout });
    const model = openGguf(first);
    expect(model.magic).toBe("PWRI");
    for (const { offset } of model.tensors.values()) expect(offset % 64).toBe(0);
    const tensors = [...model.tensors.values()].map((info) => ({
      ...info,
      data: () => [readTensorBytes(info)],
    }));
    const { magic } = model;
    await writeGguf({ path: second, metadata: model.metadata.entries(), tensors, magic });
    expect(openGguf(second).fingerprint()).toBe(model.fingerprint());
  });

  it("leaves nothing behind when a tensor's data is too short, too long or fails", async () => {
    const path = join(folder, "broken.gguf");
    writeFileSync(path, "what was there");
    const before = readdirSync(folder);
    const failing = function* (): Generator<Uint8Array> {
      yield new Uint8Array(4);
      throw new Error("no more");
    };
    const datas = [() => [new Uint8Array(8)], () => [new Uint8Array(20)], failing];
    for (const data of datas) {
      const tensors = [{ name: "w", type: "F32", dimensions: [4], data }];
      await expect(writeGguf({ path, metadata: [], tensors })).rejects.toThrow(/no more|16 bytes/);
    }
    expect(readdirSync(folder)).toEqual(before);
  });

  it("refuses shapes and names that no reader would accept", async () => {
    const path = join(folder, "never.gguf");
    const data = (): Uint8Array[] => [];
    const good = { name: "w", type: "Q4_0", dimensions: [32], data };
    const wrong = [
      [{ ...good, dimensions: [33] }],
      [{ ...good, dimensions: [] }],
      [{ ...good, dimensions: [32, 0] }],
      [{ ...good, name: "" }],
      [good, good],
    ];
    for (const tensors of wrong) {
      await expect(writeGguf({ path, metadata: [], tensors })).rejects.toThrow(
        /write w|tensor name/,
      );
    }
    const metadata = [["general.alignment", metadataValue.u32(24)]] as const;
    await expect(writeGguf({ path, metadata, tensors: [] })).rejects.toThrow(/power of two/);
  });
});
