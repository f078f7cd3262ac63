/** What an engine will take, before it is opened, beside what it takes when it is open. */
import { mkdtempSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { modelFolder, tensorsOf } from "../../../test/fixtures/changed-model.ts";
import { OptionError } from "../../core/errors.ts";
import { MiB } from "../../core/units.ts";
import { Engine } from "../../engine/engine.ts";
import { metadataValue } from "../../gguf/value.ts";
import { writeGguf } from "../../gguf/write.ts";
import { predictMemory } from "./predict-memory.ts";

const folder = mkdtempSync(join(tmpdir(), "hearth-memory-"));
const models = modelFolder();
afterAll(() => {
  models[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

const args = "--arch llama --type f16";
const whole = await models.write(args);
const cpu = { device: "cpu" } as const;
/** Of f16 keys and values: 2 layers, 2 heads of 32 with keys. */
const cacheBytesPerToken = 2 * 2 * (2 * 32) * 2;

/** Its last tensor is in a part of its own. */
async function writeSplit(): Promise<string> {
  const tensors = tensorsOf(args);
  const last = tensors.at(-1);
  if (last === undefined) throw new Error("a model has tensors");
  const split = (no: number) =>
    ({
      "split.no": metadataValue.u32(no),
      "split.count": metadataValue.u32(2),
      "split.tensors.count": metadataValue.i32(tensors.length),
    }) as const;
  const first = await models.write(args, { keys: split(0), tensors: { [last.name]: undefined } });
  renameSync(first, join(folder, "m-00001-of-00002.gguf"));
  const path = join(folder, "m-00002-of-00002.gguf");
  await writeGguf({ path, metadata: Object.entries(split(1)), tensors: [last] });
  return join(folder, "m-00001-of-00002.gguf");
}

describe("the memory that an engine will take", () => {
  it("counts the weights of all parts", async () => {
    const split = await writeSplit();
    const parts = [1, 2].map((no) => statSync(join(folder, `m-0000${no}-of-00002.gguf`)).size);
    const [one, all] = await Promise.all([predictMemory(whole, cpu), predictMemory(split, cpu)]);
    const further = parts.reduce((sum, size) => sum + size, 0) - statSync(whole).size;
    expect(all.systemBytes - one.systemBytes).toBe(further);
  });

  it("counts the cache of each sequence, and conversations at rest", async () => {
    const [one, four] = await Promise.all([
      predictMemory(whole, cpu),
      predictMemory(whole, { ...cpu, sequences: 4, cacheRam: MiB }),
    ]);
    const more = four.systemBytes - one.systemBytes;
    expect(more).toBeGreaterThanOrEqual(3 * 64 * cacheBytesPerToken + MiB);
    // Outputs of a step, too: a row of logits for each sequence.
    expect(more).toBeLessThan(3 * 64 * cacheBytesPerToken + 1.1 * MiB);
  });

  it("is what an open one reports, but for its threads' own buffers", async () => {
    const options = { ...cpu, threads: 1, sequences: 3, cacheRam: MiB };
    const { systemBytes, availableBytes } = await predictMemory(whole, options);
    using engine = await Engine.open(whole, options);
    const { mappedWeights, kvCache, others } = (await engine.report()).memory;
    expect(kvCache).toBe(3 * 64 * cacheBytesPerToken);
    expect(others).toBeGreaterThan(MiB);
    expect(systemBytes).toBeGreaterThan(mappedWeights + kvCache + MiB);
    expect(mappedWeights + kvCache + others - systemBytes).toBeLessThan(4 * MiB);
    expect(systemBytes).toBeLessThan(availableBytes);
  });

  it("refuses what no engine is opened with", async () => {
    await expect(predictMemory(whole, { sequences: 0 })).rejects.toThrow(OptionError);
  });
});
