/** How often the card would have a text's experts: by a plan, by the best plan for the text, and with exchanges. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { generousCard } from "../../test/fixtures/generous-card.ts";
import { makeTinyModel, type TinyModel } from "../../test/fixtures/tiny-model.ts";
import { serialiseHardwareProfile } from "../placement/hardware.ts";
import { parsePlan } from "../placement/plan-json.ts";
import { type PlacementOptions, planPlacement } from "./plan.ts";
import { profileExperts } from "./profile-experts.ts";

const folder = mkdtempSync(join(tmpdir(), "hearth-plan-stats-"));
const [hardware, text] = [join(folder, "card.json"), join(folder, "text.txt")];
const cacheBefore = process.env["XDG_CACHE_HOME"];
let model: TinyModel;
beforeAll(async () => {
  process.env["XDG_CACHE_HOME"] = folder;
  writeFileSync(hardware, serialiseHardwareProfile(generousCard));
  writeFileSync(text, "a b c d e f g h i j k l m n o p q r s t u v w x y z ".repeat(8));
  model = await makeTinyModel(["--arch", "qwen3moe", "--router-skew", "1", "--experts", "16"]);
});
afterAll(() => {
  model[Symbol.dispose]();
  rmSync(folder, { recursive: true });
  if (cacheBefore === undefined) delete process.env["XDG_CACHE_HOME"];
  else process.env["XDG_CACHE_HOME"] = cacheBefore;
});

interface Hits {
  readonly tokens: number;
  readonly plan: number;
  readonly oracle: number;
  readonly exchange: number;
  readonly exchanged: number;
}

function hitsIn(json: object): Hits {
  if (!("stats" in json)) throw new Error("no stats");
  const stats: unknown = json.stats;
  const isNumbers = (value: unknown): value is Hits =>
    typeof value === "object" &&
    value !== null &&
    Object.values(value).every((one) => Number.isFinite(one));
  if (!isNumbers(stats)) throw new Error(JSON.stringify(stats));
  return stats;
}

const plan = (options: PlacementOptions) =>
  planPlacement(model.path, { hardware, contextLength: 64, ...options });

describe("hits of a plan of experts", () => {
  it("are all of them where everything is on the card", async () => {
    const { json, text: shown } = await plan({ vramBudget: 2 ** 28, stats: text });
    expect(hitsIn(json)).toMatchObject({ plan: 1, oracle: 1, exchange: 1, exchanged: 0 });
    expect(hitsIn(json).tokens).toBeGreaterThan(200);
    expect(shown).toMatch(/this plan +100\.0 %/);
    // A plan in a file is read again without them.
    expect(parsePlan(JSON.stringify(json), "the plan").layers).toHaveLength(2);
  });

  it("are fewer than the best plan's without a profile, as many with one of the text, and exchanges come between", async () => {
    const everything = await plan({ vramBudget: 2 ** 28 });
    const whole = parsePlan(JSON.stringify(everything.json), "the plan").gpuBytes;
    const part = { vramBudget: Math.floor(0.6 * whole), stats: text };
    const blind = hitsIn((await plan(part)).json);
    expect(blind.plan).toBeLessThan(blind.oracle);
    expect(blind.exchange).toBeGreaterThan(blind.plan);
    expect(blind.exchanged).toBeGreaterThan(0);
    await profileExperts(model.path, { corpora: [text] });
    const profiled = hitsIn((await plan(part)).json);
    expect(profiled.plan).toBeCloseTo(profiled.oracle, 6);
    expect(profiled.plan).toBeGreaterThan(blind.plan);
  });

  it("are refused for a model without experts", async () => {
    using dense = await makeTinyModel([]);
    const asked = planPlacement(dense.path, { hardware, stats: text });
    await expect(asked).rejects.toThrow("stats: a model without experts");
  });
});
