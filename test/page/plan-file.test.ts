/** The file of `hearth plan --html` in a real browser, opened from the disk: it needs nothing else, and says what the planner says. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { planHtml } from "../../src/cli/plan-html.ts";
import { planPlacement } from "../../src/index.ts";
import { axeViolations } from "../fixtures/axe.ts";
import { browserPath, launchBrowser, watch, withoutBrowser } from "../fixtures/browser.ts";
import { generousCard } from "../fixtures/generous-card.ts";
import { makeTinyModel, type TinyModel } from "../fixtures/tiny-model.ts";

describe("the file of a plan", () => {
  const folder = mkdtempSync(join(tmpdir(), "hearth-plan-file-"));
  const hardware = join(folder, "card.json");
  let model: TinyModel;
  let html: string;
  let plans: number;
  beforeAll(async () => {
    writeFileSync(hardware, JSON.stringify({ ...generousCard, name: "</script><b>card" }));
    model = await makeTinyModel(["--ffn", "320", "--layers", "3"]);
    const options = { hardware, contextLength: 32, vramBudget: 60_000 };
    html = await planHtml({
      model: model.path,
      options,
      onProgress: (done, total) => {
        expect(done).toBeLessThanOrEqual(total);
        plans = total;
      },
    });
  });
  afterAll(() => {
    model[Symbol.dispose]();
    rmSync(folder, { recursive: true });
  });

  it("holds its plans as data, with nothing of them that could be markup", () => {
    expect(plans).toBe(6 * 4);
    expect(html).not.toContain("<b>card");
    expect(html.match(/<script\b/g)).toHaveLength(2);
    expect(html).toContain("default-src 'none'; script-src 'sha256-");
    expect(html).toContain("Copyright (c) 2015-present Jason Miller");
    expect(html).not.toMatch(/ src=|href="https?:|@import|url\(/);
  });

  it("refuses what a plan refuses", async () => {
    const options = { hardware, vramBudget: 2 ** 40 };
    const made = planHtml({ model: model.path, options, onProgress: () => undefined });
    await expect(made).rejects.toThrow("at most 24.0 GiB");
  });

  it.skipIf(browserPath === undefined)(`opens from the disk${withoutBrowser}`, async () => {
    const path = join(folder, "plan.html");
    writeFileSync(path, html);
    const browser: Browser = await launchBrowser();
    try {
      const page = await browser.newPage({ viewport: { width: 1100, height: 900 } });
      page.setDefaultTimeout(30_000);
      const { href } = pathToFileURL(path);
      const watched = await watch(page, href);
      await page.goto(href);
      const shown = async (): Promise<number> => {
        const text = await page.locator(".plan-board .number output").textContent();
        return Number((text ?? "").replaceAll(",", ""));
      };
      const expected = async (options: object): Promise<number> => {
        const { json } = await planPlacement(model.path, options);
        const { predicted_tokens_per_second: speed } = json as {
          readonly predicted_tokens_per_second: number;
        };
        return Number(speed.toPrecision(4));
      };
      const first = { hardware, contextLength: 32, vramBudget: 60_000 };
      await page.locator(".plan-board").waitFor();
      expect(await shown()).toBe(await expected(first));
      const context = page.getByRole("slider", { name: "Context" });
      await context.focus();
      await page.keyboard.press("End");
      await page.getByText("64 tokens", { exact: true }).waitFor();
      expect(await shown()).toBe(await expected({ ...first, contextLength: 64 }));
      expect(await axeViolations(page)).toEqual([]);
      await page.getByLabel("Machine").selectOption("rtx-3060");
      await page.getByText("The hardware is described, not measured: rtx-3060").waitFor();
      expect(watched.faults).toEqual([]);
      const drawn = "try { document.body.innerHTML = 'x'; 'drawn' } catch (error) { error.name }";
      expect(await page.evaluate(drawn)).toBe("TypeError");
    } finally {
      await browser.close();
    }
  });
});
