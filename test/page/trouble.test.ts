/** The page where something goes wrong: keys, servers that end or are full, texts that attack it. Nothing is lost. */
import type {
  Browser,
  BrowserContext,
  BrowserContextOptions,
  Locator,
  Page,
} from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  browserPath,
  launchBrowser,
  type Watched,
  watch,
  withoutBrowser,
} from "../fixtures/browser.ts";
import {
  answering,
  beginAnswer,
  endAnswer,
  type ScriptedServer,
  startScripted,
} from "../fixtures/scripted-answers.ts";
import { startTestServer, type TestServer } from "../fixtures/test-server.ts";

describe.skipIf(browserPath === undefined)(`the page in trouble${withoutBrowser}`, () => {
  let browser: Browser;
  let server: TestServer;
  let scripted: ScriptedServer;
  let context: BrowserContext;
  let page: Page;
  let watched: Watched;
  beforeAll(async () => {
    [browser, server] = await Promise.all([launchBrowser(), startTestServer({ apiKeys: ["k3y"] })]);
    scripted = await startScripted(server.url);
  });
  afterAll(async () => {
    await browser.close();
    await scripted[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    scripted.script = undefined;
    await begin({ serviceWorkers: "block" });
  });
  const begin = async (options: BrowserContextOptions): Promise<void> => {
    context = await browser.newContext(options);
    page = await context.newPage();
    page.setDefaultTimeout(30_000);
    watched = await watch(page, scripted.url);
  };
  afterEach(async () => {
    expect(watched.faults).toEqual([]);
    await context.close();
  });

  const field = (): Locator => page.getByRole("textbox", { name: "Message" });
  const said = (text: string | RegExp): Locator => page.locator(".messages").getByText(text);
  const enter = async (key: string): Promise<void> => {
    await page.getByLabel("Key", { exact: true }).fill(key);
    await page.keyboard.press("Enter");
  };
  const open = async (): Promise<void> => {
    await page.goto(scripted.url);
    await enter("k3y");
    await page.getByRole("dialog").waitFor({ state: "detached" });
  };
  const say = async (text: string): Promise<void> => {
    await field().fill(text);
    await field().press("Enter");
  };

  it("asks for the key, says when it is wrong, and forgets it with the tab", async () => {
    await page.goto(scripted.url);
    await enter("guess");
    await page.getByText("That is none of this server’s keys.").waitFor();
    await enter("k3y");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.getByText("default", { exact: true }).waitFor();
    await page.reload();
    await page.getByText("default", { exact: true }).waitFor();
    expect(await page.getByRole("dialog").count()).toBe(0);
    const other = await context.newPage();
    await other.goto(scripted.url);
    await other.getByLabel("Key", { exact: true }).waitFor();
  });

  it("shows what no context holds with both numbers, and keeps the text", async () => {
    await open();
    await say("word ".repeat(400));
    await said(/This conversation has \d+ tokens, and the model’s context holds 256\./).waitFor();
    expect(await page.locator(".message.user").textContent()).toContain("word word");
  });

  it("waits for a server that is full, and can be told not to", async () => {
    let asked = 0;
    scripted.script = (response, body) => {
      if (asked++ > 0) return answering("At last.")(response, body);
      response.writeHead(429, { "retry-after": "1" });
      response.end(JSON.stringify({ error: { message: "the queue is full" } }));
    };
    await open();
    await say("Hello");
    await said("The server is busy. Asking again in 1 s").waitFor();
    await said("At last.").waitFor();
    asked = 0;
    await say("Again");
    await said("The server is busy. Asking again in 1 s").waitFor();
    await page.keyboard.press("Escape");
    await said("Stopped.").waitFor();
    expect(asked).toBe(1);
  });

  it("keeps what came before an answer broke, over a reload too, and tries again beside it", async () => {
    let end = (): void => {};
    scripted.script = (response) => {
      beginAnswer(response, { content: "The first half" });
      end = () => response.destroy();
    };
    await open();
    await say("Tell me");
    await said("The first half").waitFor();
    end();
    await said(/The connection broke/).waitFor();
    await page.reload();
    await said("The first half").waitFor();
    scripted.script = answering("All of it.");
    await said(/The connection broke/).waitFor();
    await page.getByRole("button", { name: "Try again" }).click();
    await said("All of it.").waitFor();
    await page.getByRole("button", { name: "Previous branch" }).click();
    await said("The first half").waitFor();
  });

  it("leaves an answer to the tab that writes it, until that tab is closed", async () => {
    let end = (): void => {};
    scripted.script = (response) => {
      beginAnswer(response, { content: "The first half" });
      end = () => endAnswer(response);
    };
    await open();
    await say("Tell me");
    await said("The first half").waitFor();
    const other = await context.newPage();
    await other.goto(page.url());
    await other.getByLabel("Key", { exact: true }).fill("k3y");
    await other.keyboard.press("Enter");
    const elsewhere = other.getByText("This answer is being written in another tab.");
    await elsewhere.waitFor();
    expect(await other.locator(".note button").count()).toBe(0);
    end();
    await elsewhere.waitFor({ state: "detached" });
    await other.getByText("The first half").waitFor();
    await say("And now?");
    await elsewhere.waitFor();
    await page.close();
    await other.getByText("This answer was not finished").waitFor();
    await other.locator(".note").getByRole("button", { name: "Try again" }).waitFor();
  });

  it("says what a server says that fails in the middle of an answer", async () => {
    scripted.script = (response) => {
      beginAnswer(response, { content: "So far" });
      response.end('data: {"error":{"message":"the card was lost"}}\n\n');
    };
    await open();
    await say("Go on");
    await said("The answer broke off: the card was lost").waitFor();
    await said("So far").waitFor();
  });

  it("does nothing that a text wants it to", async () => {
    const attack = [
      "<img src=/stolen onerror=\"document.title='owned'\"><script>document.title='owned'</script>",
      "[link](javascript:document.title='owned') ![p](https://evil.example/beacon.png)",
      "<style>body{display:none}</style><iframe src=https://evil.example></iframe>",
      "$\\href{javascript:1}{x}$ $\\includegraphics{https://evil.example/a.png}$",
      "```html\n<script>document.title='owned'</script>\n```",
    ].join("\n\n");
    scripted.script = answering(attack);
    await open();
    await say(attack);
    await page.locator(".hl-tag, .hl-name").first().waitFor();
    expect(await page.title()).toMatch(/^<img src=.* · hearth$/);
    expect(await page.locator("main :is(img, script, iframe, style, object)").count()).toBe(0);
    const links = await page.evaluate(
      "[...document.querySelectorAll('.messages a')].map((link) => link.href)",
    );
    expect(links).toEqual(["https://evil.example/beacon.png"]);
  });

  it("lets no script of anybody else make markup, and that would be seen here", async () => {
    await open();
    expect(
      await page.evaluate(
        "try { document.body.innerHTML = '<b>x</b>'; 'drawn' } catch (error) { error.name }",
      ),
    ).toBe("TypeError");
    await page.evaluate(
      "document.head.append(Object.assign(document.createElement('img'), { src: 'data:,' }))",
    );
    await expect
      .poll(() => watched.faults)
      .toEqual(["require-trusted-types-for trusted-types-sink", "img-src data"]);
    watched.faults.length = 0;
  });

  it("opens without its server, says so, and goes on when it is back", async () => {
    await context.close();
    await begin({ serviceWorkers: "allow" });
    await open();
    scripted.script = answering("Kept text.");
    await say("Remember");
    await said("Kept text.").waitFor();
    // Not waitForFunction, which the page's policy lets evaluate nothing a second time.
    await expect
      .poll(() => page.evaluate("navigator.serviceWorker.controller !== null"))
      .toBe(true);
    await scripted.pause();
    await page.reload();
    await page.getByText("The server does not answer.").waitFor();
    await said("Kept text.").waitFor();
    await say("Is anybody there?");
    await said(/It may have been stopped/).waitFor();
    await scripted.resume();
    await page.getByRole("button", { name: "Try now" }).click();
    await page.getByText("The server does not answer. What").waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Try again" }).click();
    await said("Kept text.").nth(1).waitFor();
  });
});
