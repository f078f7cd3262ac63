/** The plan in a real browser: what its sliders show is what the planner says, and a model is loaded as it is planned. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type {
  Browser,
  BrowserContext,
  BrowserContextOptions,
  Locator,
  Page,
} from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { planPlacement } from "../../src/index.ts";
import { axeViolations, phone } from "../fixtures/axe.ts";
import {
  browserPath,
  launchBrowser,
  type Watched,
  watch,
  withoutBrowser,
} from "../fixtures/browser.ts";
import { generousCard } from "../fixtures/generous-card.ts";
import { differenceFromStored } from "../fixtures/stored-picture.ts";
import { bundledModel, startTestServer, type TestServer } from "../fixtures/test-server.ts";

vi.setConfig({ testTimeout: 180_000 });

const desktop = { viewport: { width: 1100, height: 900 }, colorScheme: "light" } as const;
describe.skipIf(browserPath === undefined)(`the plan${withoutBrowser}`, () => {
  const folder = mkdtempSync(join(tmpdir(), "hearth-plan-page-"));
  const cacheBefore = process.env["XDG_CACHE_HOME"];
  const hardware = join(folder, "card.json");
  let browser: Browser;
  let server: TestServer;
  let context: BrowserContext;
  let page: Page;
  let watched: Watched;
  beforeAll(async () => {
    process.env["XDG_CACHE_HOME"] = folder;
    writeFileSync(hardware, JSON.stringify(generousCard));
    [browser, server] = await Promise.all([
      launchBrowser(),
      startTestServer({ parallel: 1, apiKeys: ["k3y"], engine: { device: "cpu", hardware } }),
    ]);
  });
  afterAll(async () => {
    await browser.close();
    await server[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
    if (cacheBefore === undefined) delete process.env["XDG_CACHE_HOME"];
    else process.env["XDG_CACHE_HOME"] = cacheBefore;
  });
  afterEach(async () => {
    expect(watched.faults).toEqual([]);
    await context.close();
  });

  const open = async (options: BrowserContextOptions): Promise<void> => {
    context = await browser.newContext({
      ...options,
      reducedMotion: "reduce",
      serviceWorkers: "block",
    });
    page = await context.newPage();
    page.setDefaultTimeout(30_000);
    watched = await watch(page, server.url);
    await page.goto(`${server.url}/#/plan`);
    await page.getByLabel("Key", { exact: true }).fill("k3y");
    await page.keyboard.press("Enter");
    await settled();
  };
  /** What is shown is what was asked for. From sources, plans are made in the test's own thread: a busy machine takes long. */
  const settled = (): Promise<void> =>
    page.locator(".plan-board:not(.stale, .coarse)").waitFor({ timeout: 100_000 });
  const budget = (): Locator => page.getByRole("slider", { name: "Memory of the card" });
  const figure = (): Locator => page.locator(".plan-board .number output");

  it("shows what the planner says, with no mouse, and is drawn as it was", async () => {
    await open(desktop);
    await budget().focus();
    await page.keyboard.press("Home");
    await page.locator(".placement rect.hot").first().waitFor({ state: "detached" });
    const shown: string[] = [];
    for (let step = 0; step < 14; step++) {
      await page.keyboard.press("ArrowRight");
      shown.push((await budget().getAttribute("aria-valuetext")) ?? "");
    }
    expect(new Set(shown).size).toBe(14);
    expect(shown.at(-1)).toBe("7 MiB");
    await page.getByText("All layers in numbers").click();
    const options = { hardware, contextLength: 256, vramBudget: 7 * 2 ** 20 };
    const { json } = await planPlacement(bundledModel, options);
    const plan = json as {
      readonly predicted_tokens_per_second: number;
      readonly layers: readonly { readonly hot: number; readonly cold: number }[];
    };
    const said = Number(((await figure().textContent()) ?? "").replaceAll(",", ""));
    expect(said).toBe(Number(plan.predicted_tokens_per_second.toPrecision(4)));
    const cells = await page.locator(".layer-table tbody td").allTextContents();
    const rows = Array.from({ length: cells.length / 4 }, (_, row) =>
      cells.slice(4 * row).slice(1, 3),
    );
    const numbers = plan.layers.map(({ hot, cold }) => [`${hot}`, `${cold}`]);
    const runs = numbers.filter((row, index) => `${row}` !== `${numbers[index - 1]}`);
    expect(rows).toEqual(runs);
    expect(plan.layers.some(({ hot, cold }) => hot > 0 && cold > 0)).toBe(true);
    await page.mouse.move(0, 0);
    const placement = page.locator(".placement .drawing");
    expect(await differenceFromStored(browser, placement, "placement")).toBeLessThan(0.02);
    const curve = page.locator(".curve .drawing");
    expect(await differenceFromStored(browser, curve, "budget-curve")).toBeLessThan(0.02);
  });

  it("shows other machines, has no violation in axe, and no wider parts than a phone", async () => {
    await open({ ...phone, colorScheme: "dark" });
    expect(await axeViolations(page)).toEqual([]);
    await page.getByLabel("Machine").selectOption("rtx-4090");
    await page.getByText("This is another machine").waitFor();
    await settled();
    await page.getByText("All layers in numbers").click();
    expect(await axeViolations(page)).toEqual([]);
    const widest =
      "Math.max(...[...document.querySelectorAll('main, .plan-view, .plan-board > *')].map((one) => one.scrollWidth))";
    expect(await page.evaluate(widest)).toBeLessThanOrEqual(360);
  });

  it("loads the model as it is planned, and says so", async () => {
    await open(desktop);
    const apply = page.getByRole("button", { name: "Load the model so" });
    await page.getByText("The model runs so now.").waitFor();
    expect(await apply.isDisabled()).toBe(true);
    await page.getByRole("slider", { name: "Context" }).focus();
    await page.keyboard.press("ArrowLeft");
    await page.locator(".control", { hasText: "128 tokens" }).waitFor();
    await page.locator(".plan-board:not(.stale, .coarse) .apply button:enabled").click();
    await page.getByText("The model runs so now.").waitFor();
    const models = await (await server.ask("/v1/models", undefined, { "x-api-key": "k3y" })).json();
    expect(models).toMatchObject({ data: [{ meta: { n_ctx: 128 } }] });
    expect(await axeViolations(page)).toEqual([]);
  });
});
