/** Budgets, and cards that give less than they report. */
import { describe, expect, it } from "vitest";
import { describedAdapter as adapter } from "../../test/fixtures/described-adapter.ts";
import { DeviceError, LimitError } from "../core/errors.ts";
import { GiB } from "../core/units.ts";
import { budgetNotices, cardBudget } from "./card-budget.ts";
import { openWithinCard } from "./card-retry.ts";

const chosen = { kind: "hybrid", adapter, budget: 10 * GiB, notices: [], details: [] } as const;
const auto = { device: "auto" } as const;

/** A card that gives so much, and what was asked of it. */
function card(memory: number): { readonly asked: string[]; open: typeof openChoice } {
  const asked: string[] = [];
  const open: typeof openChoice = async (choice) => {
    asked.push(`${choice.kind} ${((choice.budget ?? 0) / GiB).toFixed(1)}`);
    if ((choice.budget ?? 0) > memory) throw new LimitError("out of memory", "card memory");
    return choice.notices;
  };
  return { asked, open };
}

declare function openChoice(
  choice: Parameters<Parameters<typeof openWithinCard>[2]>[0],
): Promise<readonly string[]>;

describe("a card that gives less than it reports", () => {
  it("is asked for less, and the user is told", async () => {
    const { asked, open } = card(7 * GiB);
    const notices = await openWithinCard(chosen, auto, open);
    expect(asked).toEqual(["hybrid 10.0", "hybrid 8.0", "hybrid 6.4"]);
    expect(notices).toEqual([
      "card did not give the budget of 10.0 GiB; it is opened with 6.4 GiB",
    ]);
  });

  it("shares a model with the processor that was to lie there whole, only on device auto", async () => {
    const whole = { ...chosen, kind: "gpu" } as const;
    const { asked, open } = card(9 * GiB);
    await openWithinCard(whole, auto, open);
    expect(asked).toEqual(["gpu 10.0", "hybrid 8.0"]);
    await expect(openWithinCard(whole, { ...auto, device: "gpu" }, open)).rejects.toThrow(
      LimitError,
    );
  });

  it("is not asked again for a budget that the caller set, nor after another error", async () => {
    const { asked, open } = card(1 * GiB);
    const set = { ...auto, vramBudget: 10 * GiB };
    await expect(openWithinCard(chosen, set, open)).rejects.toThrow("out of memory");
    expect(asked).toHaveLength(1);
    const broken = (): Promise<never> => Promise.reject(new DeviceError("lost"));
    await expect(openWithinCard(chosen, auto, broken)).rejects.toThrow("lost");
  });

  it("is given up when a quarter of the budget is too much", async () => {
    const { asked, open } = card(0.1 * GiB);
    await expect(openWithinCard(chosen, auto, open)).rejects.toThrow("out of memory");
    expect(asked.at(-1)).toBe("hybrid 2.6");
  });
});

describe("a budget", () => {
  it("is nine tenths of the card, or what is free of it if that is less", () => {
    expect(cardBudget({ name: "card", memory: 10 * GiB }, undefined)).toBe(9 * GiB);
    expect(cardBudget({ name: "card", memory: 10 * GiB, free: 2 * GiB }, undefined)).toBe(2 * GiB);
  });

  it("above what is free is pointed out", () => {
    const card = { name: "card", memory: 10 * GiB, free: 2 * GiB };
    expect(budgetNotices(card, 3 * GiB)).toEqual([
      "the VRAM budget of 3.0 GiB is more than the 2.0 GiB that are free on card now",
    ]);
    expect(budgetNotices(card, 2 * GiB)).toEqual([]);
  });
});
