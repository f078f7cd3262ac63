/**
 * The pictures of the page in README: `npm run page-pictures -- MODEL [NAME …]`, with SmolLM2-135M-Instruct so far; names are of
 * pictures, by default all. A real browser talks with a real server; a temperature of 0 gives the same answers again.
 */
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { profileModel } from "../dist/index.js";
import { createServer } from "../dist/server/server.js";

const [model, ...names] = process.argv.slice(2);
if (model === undefined) {
  console.error("page-pictures: which model is to talk? npm run page-pictures -- MODEL");
  process.exit(2);
}
const folder = join(import.meta.dirname, "../docs/pictures");
const questions = [
  "What is a hearth?",
  "Write a Python function that checks whether a word is a palindrome, then list its steps.",
];

const pictures = [
  { name: "page", options: { viewport: { width: 1120, height: 700 }, colorScheme: "light" } },
  {
    name: "page-phone",
    options: {
      viewport: { width: 360, height: 700 },
      colorScheme: "dark",
      isMobile: true,
      hasTouch: true,
    },
  },
];

const isWanted = (name) => names.length === 0 || names.includes(name);
const server = await createServer({ model, name: "SmolLM2 135M", port: 0 });
const url = await server.listen();
await server.ready;
const executablePath = process.env["HEARTH_BROWSER"] ?? "/usr/bin/chromium";
const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
const browser = await chromium.launch({ executablePath, args });
for (const { name, options } of pictures.filter((picture) => isWanted(picture.name))) {
  const page = await (await browser.newContext(options)).newPage();
  await page.goto(url);
  await page.getByRole("button", { name: "Settings" }).click();
  await page.getByLabel("Temperature", { exact: true }).fill("0");
  await page.keyboard.press("Escape");
  for (const [count, question] of questions.entries()) {
    await page.getByRole("textbox", { name: "Message" }).fill(question);
    await page.getByRole("button", { name: "Send", exact: true }).click();
    const ended = page.getByRole("button", { name: "Another answer" }).nth(count);
    await ended.waitFor({ timeout: 120_000 });
  }
  await page.locator(".hl-keyword").first().waitFor();
  await page.screenshot({ path: join(folder, `${name}.png`) });
}
if (isWanted("page-plan")) await picturePlan();
if (isWanted("page-map")) await pictureMap();
await browser.close();
await server.close();

/** A card that has room for most of the model: some layers are on each side. */
async function picturePlan() {
  const viewport = { width: 1120, height: 1120 };
  const page = await (await browser.newContext({ viewport, colorScheme: "light" })).newPage();
  await page.goto(`${url}/#/plan`);
  await page.getByLabel("Machine").selectOption("rtx-2080ti", { timeout: 120_000 });
  await page.locator(".plan-board:not(.stale, .coarse) .curve").waitFor({ timeout: 120_000 });
  await page.getByRole("slider", { name: "Memory of the card" }).focus();
  await page.keyboard.press("End");
  for (let step = 0; step < 4; step++) await page.keyboard.press("ArrowLeft");
  await page.screenshot({ path: join(folder, "page-plan.png") });
}

/** Of the bundled model, most of whose neurons are at rest, with a profile of these documents. */
async function pictureMap() {
  const root = join(import.meta.dirname, "..");
  const own = mkdtempSync(join(tmpdir(), "hearth-pictures-"));
  const sparse = join(own, "hearth-5M.gguf");
  copyFileSync(join(root, "models/default.gguf"), sparse);
  await profileModel(sparse, {
    corpora: [join(root, "README.md"), join(root, "docs/ARCHITECTURE.md")],
  });
  const mapped = await createServer({ model: sparse, name: "hearth 5M", port: 0 });
  const address = await mapped.listen();
  await mapped.ready;
  const viewport = { width: 1120, height: 1180 };
  const page = await (await browser.newContext({ viewport, colorScheme: "dark" })).newPage();
  await page.goto(`${address}/#/map`);
  await page.getByRole("button", { name: "Settings" }).click();
  await page.getByLabel("Temperature", { exact: true }).fill("0.7");
  await page.getByLabel("Seed", { exact: true }).fill("5");
  await page.getByLabel("Longest answer", { exact: true }).fill("96");
  await page.keyboard.press("Escape");
  await page.getByRole("textbox", { name: "Message" }).fill("It was a dark and stormy night;");
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await page.locator(".shown-of", { hasText: "The whole answer" }).waitFor({ timeout: 120_000 });
  await page.locator(".token").nth(24).click();
  await page.locator(".token.chosen").waitFor();
  await page.locator(".shown-of", { hasText: "Token" }).waitFor();
  await page.screenshot({ path: join(folder, "page-map.png") });
  await mapped.close();
  rmSync(own, { recursive: true });
}
