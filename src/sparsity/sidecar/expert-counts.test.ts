/** Counts of experts in a sidecar: what is put in comes back, and what is no count is refused. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { damagedSidecar } from "../../../test/fixtures/damaged-sidecar.ts";
import { sidecarModel } from "../../../test/fixtures/sidecar-contents.ts";
import { FileFormatError } from "../../core/errors.ts";
import { metadataValue } from "../../gguf/value.ts";
import { keys, tensorName } from "./names.ts";
import { openSidecar } from "./read.ts";
import type { SidecarChanges } from "./sidecar.ts";
import { updateSidecar } from "./write.ts";

const folder = mkdtempSync(join(tmpdir(), "expert-counts-"));
afterAll(() => rmSync(folder, { recursive: true }));

let made = 0;
async function makeSidecar(changes: SidecarChanges): Promise<string> {
  const path = join(folder, `model-${made++}.sparsity.gguf`);
  await updateSidecar(path, sidecarModel, changes);
  return path;
}

describe("the sidecar of a mixture", () => {
  const mixture = { ...sidecarModel, experts: [0, 3] };
  const layer = { counts: Float64Array.of(5, 0, 7), weights: Float64Array.of(2.5, 0, 3.25) };
  const experts = {
    tokens: 7,
    corpora: [{ name: "books.txt", hash: "ff" }],
    layers: [undefined, layer],
  };

  it("gives back the counts of its experts, the last that were put in", async () => {
    const path = await makeSidecar({ experts: { ...experts, tokens: 9 } });
    await updateSidecar(path, mixture, { experts });
    expect(openSidecar(path, mixture).experts).toEqual(experts);
    expect(openSidecar(await makeSidecar({}), mixture).experts).toBeUndefined();
  });

  it.each([
    ["counts above the tokens", { keys: { [keys.expertTokens]: metadataValue.u32(6) } }, "7"],
    ["weights alone", { without: tensorName(1, "expertCounts") }, "found nothing"],
    ["counts alone", { without: tensorName(1, "expertWeights") }, "found nothing"],
    ["weights that are none", { filledWithOnes: tensorName(1, "expertWeights") }, "NaN"],
  ])("with %s is refused", async (_, changes, found) => {
    const path = await damagedSidecar(await makeSidecar({ experts }), changes);
    expect(() => openSidecar(path, mixture)).toThrow(FileFormatError);
    expect(() => openSidecar(path, mixture)).toThrow(found);
  });

  it("with other experts than the model has is refused", async () => {
    const path = await makeSidecar({ experts });
    expect(() => openSidecar(path, { ...mixture, experts: [0, 4] })).toThrow(
      /ffn_expert_counts: found \[3\], expected \[4\]/,
    );
  });
});
