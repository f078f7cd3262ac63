/**
 * What the neuron map costs of the largest model that it is made for, 80 layers of 28 672 neurons: bytes and milliseconds of a
 * token on the server's side and in a real browser, `npm run prove:map`. No such model is needed: the frames are the
 * server's own, of neurons that are drawn at random, a tenth of them active, the busy ones more often.
 */
import { cpus } from "node:os";
import { chromium } from "playwright-core";
import { endFrame, factsFrame, tokenFrame } from "../dist/server/neurons/frames.js";
import { createServer } from "../dist/server/server.js";

const [layerCount, neurons, tokenCount] = [80, 28_672, 40];
/** Neuron of rank k fires in a share of tokens that falls with k; together a tenth. */
const shareOf = (id) => Math.min(1, 0.05 * (1 - Math.log((id + 1) / neurons)));

let state = 1;
/** In [0, 1); the same each time. */
function random() {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state / 2 ** 32;
}

const layers = Array.from({ length: layerCount }, (_, layer) => layer);
const facts = {
  method: "gate",
  activation: "relu",
  bytesDensePerToken: 30e9,
  bytesOfBlocks: 30e9,
  profileTokens: 1000,
  expectedHotShare: 0.5,
  layers: layers.map(() => ({
    neurons,
    hot: Uint32Array.from({ length: neurons >> 3 }, (_, id) => id),
    profile: Float64Array.from({ length: neurons }, (_, id) => Math.ceil(1000 * shareOf(id))),
  })),
};
const widths = layers.map(() => neurons);

/** On two devices: the card counts its own together, the CPU lists those that it computed. */
function tokenOf(index) {
  const shown = layers.map((layer) => {
    const ids = [];
    for (let id = neurons >> 3; id < neurons; id++) if (random() < shareOf(id)) ids.push(id);
    const active = Uint32Array.from(ids);
    const activeCount = active.length + 1500;
    return { layer, ofExperts: false, activeCount, bytesTouched: 3e7, active };
  });
  const times = { stepTime: 50, showingTime: index };
  return { token: 1, index, skipped: [], rows: 1, ...times, timeline: [], layers: shown };
}

const frames = [factsFrame("80 layers", facts)];
const took = [];
for (let index = 0; index < tokenCount; index++) {
  const token = tokenOf(index);
  const start = performance.now();
  const counts = { dropped: 0, bytes: frames.reduce((sum, { length }) => sum + length, 0) };
  frames.push(tokenFrame(token, { before: [], text: ` w${index}` }, counts, widths));
  took.push(performance.now() - start);
}
frames.push(endFrame([], { dropped: 0, bytes: 0 }));

const server = await createServer({
  port: 0,
  model: new URL("../models/default.gguf", import.meta.url).pathname,
});
const url = await server.listen();
await server.ready;
const executablePath = process.env["HEARTH_BROWSER"] ?? "/usr/bin/chromium";
const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
const browser = await chromium.launch({ executablePath, args });
const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
await page.route("**/neurons/*", (route) =>
  route.fulfill({ contentType: "application/octet-stream", body: Buffer.concat(frames) }),
);
await page.goto(`${url}/#/map`);
const startedAt = performance.now();
await page.getByRole("textbox", { name: "Message" }).fill("Once upon a time");
await page.getByRole("button", { name: "Send", exact: true }).click();
await page.locator(".shown-of", { hasText: `${tokenCount} tokens` }).waitFor({ timeout: 120_000 });
const shownAfter = performance.now() - startedAt;
await page.locator(".cost", { hasText: "the picture took" }).waitFor();
const drawnIn = async () =>
  /took ([\d.,]+ \S+?)\.$/.exec(await page.locator(".cost").textContent())?.[1];
const whole = await drawnIn();
await page.locator(".token").nth(7).click();
await page.locator(".shown-of", { hasText: "Token" }).waitFor();
const drawn = [];
for (let at = 0; at < 20; at++) {
  await page.keyboard.press("Tab");
  await page.getByRole("slider", { name: "Token" }).press("ArrowRight");
  await page.evaluate(
    () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))),
  );
  drawn.push(Number.parseFloat((await drawnIn()) ?? ""));
}
const heap = await page.evaluate(() => performance.memory?.usedJSHeapSize ?? 0);
await browser.close();
await server.close();

const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];
const sizes = frames.slice(1, -1).map(({ length }) => length);
console.log(
  `${cpus()[0]?.model ?? "?"}, ${cpus().length} cores; ${layerCount} layers of ${neurons} neurons, medians`,
);
console.log(`facts       ${frames[0].length} bytes, once`);
console.log(`a token     ${median(sizes)} bytes, at most ${Math.max(...sizes)}`);
console.log(`the server  ${median(took).toFixed(2)} ms a token, to write its frame`);
console.log(
  `the page    ${shownAfter.toFixed(0)} ms for facts and ${tokenCount} tokens at once, its own ${(heap / 2 ** 20).toFixed(0)} MiB`,
);
console.log(`a picture   ${median(drawn)} ms of one token, ${whole} of the whole answer`);
