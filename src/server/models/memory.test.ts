/** Whether a further model fits: what it needs, what the others hold, and what the system says is free. */
import { describe, expect, it } from "vitest";
import { bundledModel } from "../../../test/fixtures/test-server.ts";
import { GiB } from "../../core/units.ts";
import { Engine } from "../../index.ts";
import { resolveServerOptions } from "../options.ts";
import { LoadedModel } from "./loaded-model.ts";
import { fits, fitsIntoMemory, requireFit } from "./memory.ts";

const need = { systemBytes: 6 * GiB, availableBytes: 16 * GiB };
const nothing = { mappedWeights: 0, kvCache: 0, others: 0 };

describe("a further model", () => {
  it("fits where a quarter of what is free is left", () => {
    expect(fits(need, [], 8 * GiB)).toBe(true);
    expect(fits(need, [], 7.9 * GiB)).toBe(false);
  });

  it("finds no room where others have their mapped weights, which the system calls free", () => {
    expect(fits(need, [{ ...nothing, mappedWeights: 8 * GiB }], 16 * GiB)).toBe(true);
    expect(fits(need, [{ ...nothing, mappedWeights: 9 * GiB }], 16 * GiB)).toBe(false);
  });

  it("finds none in memory that others have and did not write to yet", () => {
    const one = { mappedWeights: 4 * GiB, kvCache: 2 * GiB, others: 2 * GiB };
    expect(fits(need, [one], 16 * GiB)).toBe(true);
    expect(fits(need, [{ ...one, kvCache: 3 * GiB }], 16 * GiB)).toBe(false);
    expect(fits(need, [{ ...one, others: 3 * GiB }], 16 * GiB)).toBe(false);
  });

  it("needs room on the card that is to hold it", () => {
    const card = { neededBytes: 10 * GiB, budgetBytes: 12 * GiB };
    const onCard = { ...need, systemBytes: GiB, card };
    expect(fits(onCard, [], 2 * GiB)).toBe(true);
    expect(fits({ ...onCard, card: { ...card, budgetBytes: 9 * GiB } }, [], 16 * GiB)).toBe(false);
  });

  it("is judged with all places and beside loaded models as they are", async () => {
    const engine = { device: "cpu", cacheRam: 0 } as const;
    using opened = await Engine.open(bundledModel, engine);
    const loaded = [new LoadedModel("one", opened, () => undefined)];
    const entry = { name: "two", path: bundledModel, settings: {} };
    const few = resolveServerOptions({ engine });
    expect(await fitsIntoMemory(entry, loaded, few)).toBe(true);
    const atRest = resolveServerOptions({ engine: { ...engine, cacheRam: 2 ** 50 } });
    expect(await fitsIntoMemory(entry, [], atRest)).toBe(false);
    const many = resolveServerOptions({ engine, parallel: 1024, contextLength: 2 ** 20 });
    expect(await fitsIntoMemory(entry, [], many)).toBe(false);
    const chosen = { ...entry, settings: { contextLength: 128 } };
    await requireFit(chosen, many);
    await expect(requireFit(entry, many)).rejects.toThrow("ask for a shorter context");
    // What is wrong with it is said when it is opened.
    expect(await fitsIntoMemory({ name: "no", path: "no.gguf", settings: {} }, loaded, few)).toBe(
      true,
    );
  });
});
