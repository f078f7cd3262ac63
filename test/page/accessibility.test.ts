/** The page for everybody: axe finds nothing, in light and dark and on a phone, and no mouse is needed. */

import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { axeViolations, phone } from "../fixtures/axe.ts";
import { browserPath, launchBrowser, withoutBrowser } from "../fixtures/browser.ts";
import {
  beginAnswer,
  endAnswer,
  type ScriptedServer,
  startScripted,
} from "../fixtures/scripted-answers.ts";
import { startTestServer, type TestServer } from "../fixtures/test-server.ts";

const richAnswer = `# Title

Text with **weight**, \`code\`, a [link](https://example.org) and $x^2$.

\`\`\`ts
const a = "b"; // c
\`\`\`

| a | b |
|---|---|
| 1 | 2 |

- [x] done
> quoted`;

describe.skipIf(browserPath === undefined)(`the page for everybody${withoutBrowser}`, () => {
  let browser: Browser;
  let server: TestServer;
  let scripted: ScriptedServer;
  beforeAll(async () => {
    [browser, server] = await Promise.all([launchBrowser(), startTestServer()]);
    scripted = await startScripted(server.url);
    scripted.script = (response) => {
      beginAnswer(response, { reasoning_content: "Hm." }, { content: richAnswer });
      endAnswer(response);
    };
  });
  afterAll(async () => {
    await browser.close();
    await scripted[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  const opened = async (options: BrowserContextOptions): Promise<Page> => {
    const context = await browser.newContext({
      ...options,
      reducedMotion: "reduce",
      serviceWorkers: "block",
    });
    const page = await context.newPage();
    page.setDefaultTimeout(30_000);
    await page.goto(scripted.url);
    await page.getByRole("textbox", { name: "Message" }).waitFor();
    return page;
  };

  it("axe finds nothing where nothing was said yet", async () => {
    const page = await opened({});
    expect(await axeViolations(page)).toEqual([]);
    await page.context().close();
  });

  it.each<readonly [string, BrowserContextOptions]>([
    ["light", { colorScheme: "light" }],
    ["dark", { colorScheme: "dark" }],
    ["on a phone", { ...phone, colorScheme: "light" }],
  ])("axe finds nothing, %s", async (_, options) => {
    const page = await opened(options);
    await page.getByRole("textbox", { name: "Message" }).fill("Show me");
    await page.getByRole("button", { name: "Send" }).click();
    await page.locator("math").waitFor();
    await page.locator(".hl-keyword").waitFor();
    await page.locator(".thoughts summary").click();
    expect(await axeViolations(page)).toEqual([]);
    await page.getByRole("button", { name: "Settings" }).click();
    await page.getByText("Against repetition").click();
    expect(await axeViolations(page)).toEqual([]);
    await page.context().close();
  });

  it("fits a phone: nothing is wider than it", async () => {
    const page = await opened(phone);
    await page.getByRole("textbox", { name: "Message" }).fill(`Show ${"me".repeat(200)}`);
    await page.getByRole("button", { name: "Send" }).click();
    await page.locator(".hl-keyword").waitFor();
    const widest =
      "Math.max(...[...document.querySelectorAll('main, .messages, .message, .composer, .bar')].map((one) => one.scrollWidth))";
    expect(await page.evaluate(widest)).toBeLessThanOrEqual(360);
    await page.getByRole("button", { name: "Show conversations" }).click();
    await page.getByRole("link", { name: "Show me" }).click();
    await page.getByRole("button", { name: "Show conversations" }).waitFor();
    await page.context().close();
  });

  it("needs no mouse, and tells a screen reader of the answer", async () => {
    const page = await opened({});
    await page.keyboard.type("Hello");
    await page.keyboard.press("Enter");
    const status = page.locator("[role=status]", { hasText: "quoted" });
    await status.waitFor({ state: "attached" });
    expect(await status.textContent()).not.toMatch(/[*`#]/);
    await page.keyboard.press("Control+/");
    await page.getByRole("heading", { name: "Keyboard shortcuts" }).waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("Shift+Escape");
    const focused = "document.activeElement?.getAttribute('aria-label')";
    expect(await page.evaluate(focused)).toBe("Message");
    await page.keyboard.press("ArrowUp");
    expect(await page.evaluate(focused)).toBe("Your message");
    await page.keyboard.press("Escape");
    expect(await page.evaluate(focused)).toBe("Message");
    const reached = new Set<unknown>();
    for (let step = 0; step < 40; step++) {
      await page.keyboard.press("Tab");
      reached.add(await page.evaluate(focused));
    }
    for (const label of ["Settings", "Another answer", "Copy code", "Attach text files", "Send"])
      expect(reached, label).toContain(label);
    await page.context().close();
  });
});
