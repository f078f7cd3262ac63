/** The page in a real browser: a conversation with the bundled model, and all that a person does with it. */
import { readFileSync } from "node:fs";
import type { Browser, BrowserContext, Locator, Page } from "playwright-core";
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
  writeDelta,
} from "../fixtures/scripted-answers.ts";
import { startTestServer, type TestServer } from "../fixtures/test-server.ts";

it.skipIf(process.env["HEARTH_REQUIRE_BROWSER"] !== "1")(
  "has a browser, as HEARTH_REQUIRE_BROWSER=1 demands",
  () => {
    expect(browserPath).toBeDefined();
  },
);

describe.skipIf(browserPath === undefined)(`a conversation${withoutBrowser}`, () => {
  let browser: Browser;
  let server: TestServer;
  let scripted: ScriptedServer;
  let context: BrowserContext;
  let page: Page;
  let watched: Watched;
  beforeAll(async () => {
    [browser, server] = await Promise.all([launchBrowser(), startTestServer()]);
    scripted = await startScripted(server.url);
  });
  afterAll(async () => {
    await browser.close();
    await scripted[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    scripted.script = undefined;
    context = await browser.newContext({ serviceWorkers: "block" });
    page = await context.newPage();
    page.setDefaultTimeout(30_000);
    watched = await watch(page, scripted.url);
    await page.goto(scripted.url);
    await field().waitFor();
  });
  afterEach(async () => {
    expect(watched.faults).toEqual([]);
    await context.close();
  });

  const field = (): Locator => page.getByRole("textbox", { name: "Message" });
  const answers = (): Locator => page.locator(".message.assistant");
  const say = async (text: string): Promise<void> => {
    await field().fill(text);
    await field().press("Enter");
  };
  /** Beside it, what is said to screen readers has the same text. */
  const said = (text: string): Locator => page.locator(".messages").getByText(text);
  const isDone = (): Promise<void> =>
    page.getByRole("button", { name: "Send", exact: true }).waitFor();

  it("with the bundled model: an answer, its numbers, and the context that it fills", async () => {
    await page.getByRole("button", { name: "Settings" }).click();
    await page.getByLabel("Longest answer").fill("24");
    await page.getByLabel("Temperature", { exact: true }).fill("0");
    await page.keyboard.press("Escape");
    await say("Once upon a time");
    // While it is written they are those of its last piece.
    await page.locator(".numbers", { hasText: "24 tokens" }).waitFor();
    expect(await answers().locator(".markdown").innerText()).toMatch(/\w+ \w+ \w+/);
    expect(await page.locator(".numbers").innerText()).toMatch(/^[\d.,]+ tokens\/s · 24 tokens/);
    expect(await page.locator(".context").innerText()).toMatch(/^\d\d+ \/ [\d,]+$/);
    const first = await answers().locator(".markdown").innerText();
    await answers().getByRole("button", { name: "Another answer" }).click();
    await page.getByText("2 / 2").waitFor();
    await isDone();
    expect(await answers().locator(".markdown").innerText()).toBe(first);
    expect(await page.locator(".numbers").innerText()).toMatch(/of \d+ prompt tokens cached$/);
  });

  it("is shown while it is written, and stopped in its middle with what there is", async () => {
    let isGone = false;
    scripted.script = (response) => {
      response.on("close", () => {
        isGone = true;
      });
      beginAnswer(response, { reasoning_content: "Hm. " }, { content: "One **two**" });
    };
    await say("Count");
    await page.locator(".markdown strong", { hasText: "two" }).waitFor();
    expect(await page.getByText("Thoughts").isVisible()).toBe(true);
    expect(await page.getByText("Hm.").isVisible()).toBe(false);
    await page.keyboard.press("Escape");
    await said("Stopped.").waitFor();
    expect(await answers().locator("> .markdown").innerText()).toBe("One two");
    await expect.poll(() => isGone).toBe(true);
  });

  it("goes on where it was cut, in the same answer", async () => {
    scripted.script = (response) => {
      beginAnswer(response, { content: "One **two" });
      endAnswer(response, "length");
    };
    await say("Count");
    const goOn = page.getByRole("button", { name: "Continue", exact: true });
    await goOn.waitFor();
    const asked: unknown[] = [];
    scripted.script = (response, body) => {
      asked.push(body.messages, body["continue_final_message"]);
      return answering("** three")(response, body);
    };
    await goOn.click();
    await said("three").waitFor();
    await isDone();
    expect(await answers().locator(".markdown").innerText()).toBe("One two three");
    expect(await answers().locator("strong").innerText()).toBe("two");
    expect(asked).toEqual([
      [
        { role: "user", content: "Count" },
        { role: "assistant", content: "One **two" },
      ],
      true,
    ]);
    expect(await page.locator(".numbers").innerText()).toMatch(/ · 24 tokens · /);
    expect(await goOn.count()).toBe(0);
  });

  it("has branches: another answer, an edited question, and the way back", async () => {
    let count = 0;
    scripted.script = (response, body) =>
      answering(`Answer ${++count} to ${body.messages.at(-1)?.content}`)(response, body);
    await say("A");
    await said("Answer 1 to A").waitFor();
    await answers().getByRole("button", { name: "Another answer" }).click();
    await said("Answer 2 to A").waitFor();
    await page.getByRole("button", { name: "Previous branch" }).click();
    await said("Answer 1 to A").waitFor();
    await isDone();
    await field().press("ArrowUp");
    await page.getByRole("textbox", { name: "Your message" }).fill("B");
    await page.keyboard.press("Enter");
    await said("Answer 3 to B").waitFor();
    await page.reload();
    await said("Answer 3 to B").waitFor();
    await page.getByRole("button", { name: "Previous branch" }).click();
    await said("Answer 1 to A").waitFor();
    await answers().getByRole("button", { name: "Delete from here on" }).click();
    await said("Answer 2 to A").waitFor();
    await page.getByRole("button", { name: "Undo" }).click();
    await said("Answer 1 to A").waitFor();
    await answers().getByRole("button", { name: "Continue from here" }).click();
    await page.waitForURL(/#\/chat\/\w+$/);
    await expect.poll(() => page.getByRole("link", { name: "A", exact: true }).count()).toBe(2);
    await said("Answer 1 to A").waitFor();
    expect(await page.locator(".branches").count()).toBe(0);
  });

  it("is kept with its settings, found again, deleted and brought back", async () => {
    scripted.script = answering("The capital is **Vaduz**.");
    await say("Liechtenstein");
    await said("Vaduz").waitFor();
    await page.keyboard.press("Control+Shift+O");
    await page.getByText("What would you like to know?").waitFor();
    await field().fill("not sent yet");
    await page.getByRole("link", { name: "Liechtenstein" }).click();
    await expect.poll(() => field().inputValue()).toBe("");
    await page.getByRole("link", { name: "New conversation" }).click();
    await expect.poll(() => field().inputValue()).toBe("not sent yet");
    await say("Something else");
    await said("Vaduz").waitFor();
    await page.reload();
    await field().waitFor();
    await page.keyboard.press("Control+k");
    await page.keyboard.type("vaduz liech");
    await page.getByText("Nothing found.").waitFor();
    await page.getByRole("searchbox").fill("LIECHT");
    // As one that comes while somebody writes: the focus stays where it is.
    await page.getByRole("link", { name: "Liechtenstein" }).dispatchEvent("click");
    await expect.poll(() => page.locator(".message.user").innerText()).toContain("Liechtenstein");
    expect(await page.evaluate("document.activeElement.id")).toBe("search");
    const row = page.locator("li", { has: page.getByRole("link", { name: "Liechtenstein" }) });
    await row.getByLabel("More for Liechtenstein").click();
    await row.getByRole("button", { name: "Delete" }).click();
    await page.getByText("What would you like to know?").waitFor();
    await page.getByRole("button", { name: "Undo" }).click();
    await row.waitFor();
  });

  it("goes out as a file and comes back into another browser", async () => {
    scripted.script = answering("Kept.");
    await say("Keep this");
    await said("Kept.").waitFor();
    await isDone();
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Export all" }).click();
    const path = await (await download).path();
    expect(JSON.parse(readFileSync(path, "utf8"))).toMatchObject({
      format: "hearth-conversations",
      conversations: [{ title: "Keep this", messages: [{ text: "Keep this" }, { text: "Kept." }] }],
    });
    const other = await browser.newContext({ serviceWorkers: "block" });
    const there = await other.newPage();
    await there.goto(scripted.url);
    const picker = there.locator('input[type="file"][accept]');
    await picker.setInputFiles({ name: "x.json", mimeType: "", buffer: Buffer.from("[]") });
    await there.getByText("x.json holds no conversations of hearth.").waitFor();
    await picker.setInputFiles(path);
    await there.getByText("1 conversation was imported.").waitFor();
    await there.getByRole("link", { name: "Keep this" }).click();
    await there.locator(".messages").getByText("Kept.").waitFor();
    await other.close();
  });

  it("sends the system prompt, all that was set, and text files", async () => {
    const asked: unknown[] = [];
    scripted.script = (response, body) => {
      asked.push(body);
      return answering("Read.")(response, body);
    };
    await page.keyboard.press("Control+,");
    await page.getByLabel("System prompt").fill("Be brief.");
    await page.getByLabel("Top-k").fill("x");
    await page.getByText("A whole number is needed.").waitFor();
    await page.getByLabel("Top-k").fill("7");
    await page.getByLabel("Stop at").fill("END\n\\n\\n");
    await page.keyboard.press("Escape");
    const picker = page.locator('input[type="file"]:not([accept])');
    const buffer = Buffer.from([0x89, 0x50, 0, 1]);
    await picker.setInputFiles({ name: "a.png", mimeType: "image/png", buffer });
    await page.getByText("a.png is not a text file.").waitFor();
    const text = Buffer.from("```\nfenced\n```\n");
    await picker.setInputFiles({ name: "notes.md", mimeType: "text/markdown", buffer: text });
    await page.getByText("notes.md (15 characters)").waitFor();
    await say("What is this?");
    await said("Read.").waitFor();
    expect(asked).toEqual([
      {
        model: "default",
        stream: true,
        stream_options: { include_usage: true },
        timings_per_token: true,
        return_progress: true,
        top_k: 7,
        stop: ["END", "\n\n"],
        messages: [
          { role: "system", content: "Be brief." },
          {
            role: "user",
            content: "notes.md:\n````\n```\nfenced\n```\n````\n\nWhat is this?",
          },
        ],
      },
    ]);
  });

  it("shows calls of tools, and goes on with their results", async () => {
    const call = { index: 0, id: "c1", function: { name: "weather", arguments: "" } };
    scripted.script = (response, { messages }) => {
      if (messages.length > 1)
        return answering(`It is ${messages.at(-1)?.content}.`)(response, { messages });
      beginAnswer(response, { tool_calls: [call] });
      for (const part of ['{"city":', '"Vaduz"}'])
        writeDelta(response, { tool_calls: [{ index: 0, function: { arguments: part } }] });
      endAnswer(response, "tool_calls");
    };
    await say("Weather?");
    await page.getByRole("heading", { name: "Calls weather" }).waitFor();
    expect(await page.locator(".call pre").innerText()).toBe('{\n  "city": "Vaduz"\n}');
    await page.getByLabel("Result of weather").fill("sunny");
    await page.getByRole("button", { name: "Continue with these results" }).click();
    await said("It is sunny.").waitFor();
  });

  it("picks a model, and shows how far it is while it is loaded", async () => {
    let status: object = { value: "unloaded" };
    const others = { id: "other", status: { value: "loaded" }, meta: { n_ctx: 512, n_params: 1 } };
    await page.route("**/v1/models", (route) =>
      route.fulfill({ json: { data: [others, { id: "large", ...status }] } }),
    );
    const asked: string[] = [];
    await page.route("**/props?*", (route) => {
      asked.push(route.request().url());
      status = { status: { value: "loading", progress: { done: 30, total: 100 } } };
    });
    await page.reload();
    await page.getByLabel("Model").selectOption("large");
    await page.locator(".bar").getByText("loading, 30 %").waitFor();
    expect(asked).toEqual([`${scripted.url}/props?model=large`]);
    status = { status: { value: "loaded" }, meta: { n_ctx: 4096, n_params: 1 } };
    await page.getByText("0 / 4,096").waitFor();
    scripted.script = (response, body) => answering(`By ${body["model"]}.`)(response, body);
    await say("Who?");
    await said("By large.").waitFor();
  });

  it("draws code in colours, and formulas", async () => {
    scripted.script = answering(
      "```ts\nconst a: number = 1;\n```\n\n$$\\frac{a}{b}$$ and \\(x^2\\), for $5 or $6.",
    );
    await say("Show");
    await page.locator(".hl-keyword", { hasText: "const" }).waitFor();
    await page.locator("math mfrac").waitFor();
    await page.locator("math msup").waitFor();
    expect(await page.locator(".markdown").innerText()).toContain("$5 or $6");
    await page.evaluate(
      "navigator.clipboard.writeText = async (text) => { globalThis.copied = text }",
    );
    await page.getByRole("button", { name: "Copy code" }).click();
    await page.getByRole("button", { name: "Copied" }).waitFor();
    expect(await page.evaluate("globalThis.copied")).toBe("const a: number = 1;");
  });
});
