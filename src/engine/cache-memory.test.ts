/** What a KV cache may take: of the system's memory, of a card's, and beside other engines of the process. */
import { afterAll, describe, expect, it } from "vitest";
import { makeTinyModel } from "../../test/fixtures/tiny-model.ts";
import { LimitError } from "../core/errors.ts";
import { KiB } from "../core/units.ts";
import { memoryOfProcess } from "../io/cgroup.ts";
import { openSetup } from "./model-setup.ts";
import type { EngineOptions } from "./options.ts";
import { cacheBytes, requireCacheMemory } from "./resolve-options.ts";

const model = await makeTinyModel(["--context", "4096"]);
afterAll(() => model[Symbol.dispose]());

const setupFor = (options: EngineOptions) => openSetup(model.path, options, "per sequence");

describe("a KV cache", () => {
  it("may be larger than the system's memory where a card has room for it", async () => {
    const { model: opened, options } = await setupFor({ sequences: 8, cacheRam: 64 * KiB });
    const needed = cacheBytes(opened, options);
    const check = (system: number, card: number) => () =>
      requireCacheMemory(opened, options, { system, card });
    expect(check(needed - 1, 0)).toThrow(LimitError);
    expect(check(needed + 64 * KiB, 0)).not.toThrow();
    expect(check(64 * KiB, needed)).not.toThrow();
    // What is in no card is in the system's memory, and so are conversations at rest.
    expect(check(64 * KiB, needed - 1)).toThrow(/and cacheRam of .* its card gives/);
    expect(check(needed / 4, needed / 2)).toThrow(/shorter context/);
  });

  it("of the largest context leaves other engines what they have not written to yet", async () => {
    const wanted = { contextLength: "largest", sequences: 64, checkpoints: 0 } as const;
    const all = memoryOfProcess();
    expect((await setupFor({ ...wanted, heldByOthers: all })).options.contextLength).toBe(256);
    const shorter = await setupFor({ ...wanted, contextLength: 2048 });
    // Three quarters of what the others leave.
    const left = 2 * cacheBytes(shorter.model, shorter.options);
    const { options } = await setupFor({ ...wanted, heldByOthers: all - left });
    expect(options.contextLength).toBeGreaterThan(2048);
    expect(options.contextLength).toBeLessThan(4096);
  });
});
