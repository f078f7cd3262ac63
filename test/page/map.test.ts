/** The neuron map in a real browser, while the bundled model writes: its numbers, its picture, and who can use it. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Engine } from "../../src/index.ts";
import { axeViolations, phone } from "../fixtures/axe.ts";
import {
  browserPath,
  launchBrowser,
  type Watched,
  watch,
  withoutBrowser,
} from "../fixtures/browser.ts";
import { bundledModel, startTestServer, type TestServer } from "../fixtures/test-server.ts";

const picture = join(import.meta.dirname, "pictures/map.png");
const question = "Once upon a time";
const tokens = 24;

/** Of the picture's pixels: instruction sets add in other orders, so a neuron near zero may fire on one machine alone. */
const mayDiffer = 0.02;

describe.skipIf(browserPath === undefined)(`the neuron map${withoutBrowser}`, () => {
  let browser: Browser;
  let server: TestServer;
  beforeAll(async () => {
    [browser, server] = await Promise.all([launchBrowser(), startTestServer()]);
  });
  afterAll(async () => {
    await browser.close();
    await server[Symbol.asyncDispose]();
  });

  const opened = async (options: BrowserContextOptions): Promise<readonly [Page, Watched]> => {
    const context = await browser.newContext({
      viewport: { width: 1100, height: 900 },
      reducedMotion: "reduce",
      serviceWorkers: "block",
      ...options,
    });
    const page = await context.newPage();
    page.setDefaultTimeout(30_000);
    const watched = await watch(page, server.url);
    // Every token, however busy the machine is.
    await page.route("**/neurons/*", (route) =>
      route.continue({ url: `${route.request().url()}?time_share=1` }),
    );
    await page.goto(`${server.url}/#/map`);
    await page.getByRole("textbox", { name: "Message" }).waitFor();
    return [page, watched];
  };
  const write = async (page: Page): Promise<void> => {
    await page.getByRole("button", { name: "Settings" }).click();
    await page.getByLabel("Longest answer").fill(String(tokens));
    await page.getByLabel("Temperature", { exact: true }).fill("0");
    await page.keyboard.press("Escape");
    await page.getByRole("textbox", { name: "Message" }).fill(question);
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await page.locator(".shown-of", { hasText: "The whole answer" }).waitFor();
  };
  const figure = (page: Page, name: string): Promise<string> =>
    page.locator(".figures div", { hasText: name }).locator("b").innerText();

  it("says what run --stats says, shows the stored picture, and breaks no rule", async () => {
    const [page, watched] = await opened({ colorScheme: "light" });
    await write(page);
    using engine = await Engine.open(bundledModel, { device: "cpu" });
    const answer = engine.chat([{ role: "user", content: question }], {
      maxTokens: tokens,
      temperature: 0,
    });
    await answer.result;
    const { sparsity } = engine;
    const share = (value: number): string =>
      `${(100 * value).toFixed(value < 0.1 ? 1 : 0)} %`.replace(".0 ", " ");
    expect(await figure(page, "Neurons computed")).toBe(share(sparsity.activeShare));
    const unread = 1 - sparsity.bytesTouchedPerToken / sparsity.bytesDensePerToken;
    expect(await figure(page, "Weights not read")).toBe(share(unread));
    await page.getByText("By layer, as a table").click();
    const cells = await page.locator(".by-layer tbody td:nth-child(4)").allInnerTexts();
    expect(cells).toEqual(sparsity.activeSharePerLayer.map(share));
    await page.mouse.move(5, 5);
    expect(await differentShare(page, picture)).toBeLessThanOrEqual(mayDiffer);
    expect(watched.faults).toEqual([]);
    await page.context().close();
  });

  it("goes through the answer by token, by a selection of text and by keys", async () => {
    const [page] = await opened({});
    await write(page);
    const caption = page.locator(".shown-of");
    expect(await caption.innerText()).toBe(`The whole answer, ${tokens - 1} tokens`);
    await page.locator(".token").nth(4).click();
    const text = await page.locator(".token").nth(4).innerText();
    await page.locator(".shown-of", { hasText: "Token “" }).waitFor();
    expect(await caption.innerText()).toContain(text.trim());
    await page.getByRole("slider", { name: "Token" }).focus();
    await page.keyboard.press("ArrowRight");
    await page.locator(".token.chosen[data-token='5']").waitFor();
    await page.evaluate(`{
      const [from, to] = [8, 12].map((at) => document.querySelector("[data-token='" + at + "']").firstChild);
      getSelection().setBaseAndExtent(from, 0, to, to.length);
    }`);
    await page.locator(".shown-of", { hasText: "5 tokens of it" }).waitFor();
    await page.getByRole("button", { name: "Whole answer" }).click();
    await page.locator(".shown-of", { hasText: "The whole answer" }).waitFor();
    await page.getByRole("application").focus();
    await page.keyboard.press("ArrowRight");
    await page.locator("#neuron-cursor", { hasText: "Layer 1, neuron 0" }).waitFor();
    await page.keyboard.press("ArrowDown");
    await page.locator("#neuron-cursor", { hasText: "Layer 1, neuron 1" }).waitFor();
    await page.keyboard.press("+");
    await page.getByRole("button", { name: "Show all" }).click();
    await page.context().close();
  });

  it("asks for nothing while nobody looks, and offers to write again what it did not see", async () => {
    const [page] = await opened({});
    const asked: string[] = [];
    page.on("request", (request) => asked.push(new URL(request.url()).pathname));
    await page.getByRole("link", { name: "Chat" }).click();
    await page.getByRole("textbox", { name: "Message" }).fill(question);
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await page.getByRole("button", { name: "Another answer" }).waitFor();
    expect(asked).toContain("/v1/chat/completions");
    expect(asked.filter((path) => path.startsWith("/neurons"))).toEqual([]);
    await page.getByRole("link", { name: "Neurons" }).click();
    await page.getByRole("button", { name: "Write it again, and watch" }).click();
    await page.locator(".shown-of", { hasText: "The whole answer" }).waitFor();
    expect(asked.filter((path) => path.startsWith("/neurons"))).toHaveLength(1);
    await page.context().close();
  });

  it.each<readonly [string, BrowserContextOptions]>([
    ["light", { colorScheme: "light" }],
    ["dark", { colorScheme: "dark" }],
    ["on a phone", phone],
  ])("axe finds nothing, %s, and nothing is wider than the window", async (_, options) => {
    const [page] = await opened(options);
    expect(await axeViolations(page)).toEqual([]);
    await write(page);
    await page.getByText("By layer, as a table").click();
    await page.locator(".token").nth(4).click();
    expect(await axeViolations(page)).toEqual([]);
    const [inside, width] = (await page.evaluate(
      "[document.querySelector('.map').scrollWidth, document.querySelector('.map').clientWidth]",
    )) as [number, number];
    expect(inside).toBeLessThanOrEqual(width);
    await page.context().close();
  });
});

/** Of the canvas's pixels, those that differ from the stored picture, which HEARTH_STORE_PICTURES=1 stores anew. */
async function differentShare(page: Page, path: string): Promise<number> {
  if (process.env["HEARTH_STORE_PICTURES"] === "1") {
    const url = (await page.evaluate(
      "document.querySelector('.picture canvas').toDataURL()",
    )) as string;
    writeFileSync(path, Buffer.from(url.slice(url.indexOf(",") + 1), "base64"));
  }
  const stored = [...readFileSync(path)];
  return (await page.evaluate(`(async () => {
    const bitmap = await createImageBitmap(new Blob([new Uint8Array(${JSON.stringify(stored)})]));
    const canvas = document.querySelector(".picture canvas");
    if (bitmap.width !== canvas.width || bitmap.height !== canvas.height) return 1;
    const other = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
    other.drawImage(bitmap, 0, 0);
    const [a, b] = [canvas.getContext("2d"), other].map((one) => one.getImageData(0, 0, bitmap.width, bitmap.height).data);
    let different = 0;
    for (let at = 0; at < a.length; at += 4)
      if ([0, 1, 2].some((part) => Math.abs(a[at + part] - b[at + part]) > 24)) different++;
    return (4 * different) / a.length;
  })()`)) as number;
}
