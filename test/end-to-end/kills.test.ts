/**
 * Writers killed by SIGKILL at random moments: the file is the old one or the new one, whole, and the next writer goes on.
 * HEARTH_KILLS says how often (default 20; `npm run prove:kills` 400). And two commands on one sidecar at once.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Engine } from "../../src/engine/engine.ts";
import { sidecarModelOf } from "../../src/engine/model-sidecar.ts";
import { openGguf } from "../../src/gguf/open.ts";
import { openModel } from "../../src/model/model.ts";
import { openSidecar } from "../../src/sparsity/sidecar/read.ts";
import { updateSidecar } from "../../src/sparsity/sidecar/write.ts";
import { tokensOf } from "../fixtures/counted-conversation.ts";
import { command } from "../fixtures/packaged.ts";
import { sidecarModel } from "../fixtures/sidecar-contents.ts";
import { makeTinyModel, type TinyModel } from "../fixtures/tiny-model.ts";

const project = resolve(import.meta.dirname, "../..");
const kills = Number(process.env["HEARTH_KILLS"] ?? 20);
const timeout = 60_000 + 5000 * kills;

let folder = "";
let tiny: TinyModel;
beforeAll(async () => {
  expect(existsSync(command), "dist is built: npm run build").toBe(true);
  folder = mkdtempSync(join(tmpdir(), "hearth-kills-"));
  tiny = await makeTinyModel(["--layers", "8", "--vocab", "2000"]);
});
afterAll(() => {
  tiny[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

const hashOf = (path: string): string =>
  createHash("sha256").update(readFileSync(path)).digest("hex");

function node(script: string): ChildProcess {
  return spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "ignore"],
  });
}

const built = (file: string): string =>
  JSON.stringify(pathToFileURL(join(project, "dist", file)).href);

/** Kills it between `from` and `to` milliseconds after its first word. */
async function killSometime(child: ChildProcess, from: number, to: number): Promise<void> {
  const exited = once(child, "exit");
  await Promise.race([once(child.stdout ?? child, "data"), exited]);
  await pause(from + Math.random() * (to - from));
  child.kill("SIGKILL");
  await exited;
}

describe("a file that is written when its process is killed", () => {
  it("is the old model or the new one after quantize", { timeout }, async () => {
    const output = join(folder, "out.gguf");
    const hashes = new Map<string, string>();
    for (const type of ["Q8_0", "F16"]) {
      expect(
        spawnSync(process.execPath, [command, "quantize", tiny.path, output, type]).status,
      ).toBe(0);
      hashes.set(hashOf(output), type);
    }
    // In the first, the second or the third: kills fall into writing over each of them, and between two.
    const script = `
      import { quantizeModel } from ${built("index.js")};
      const options = { input: ${JSON.stringify(tiny.path)}, output: ${JSON.stringify(output)} };
      for (;;) for (const type of ["Q8_0", "F16"]) {
        console.log(type);
        await quantizeModel({ ...options, type });
      }`;
    const seen = new Set<string>();
    for (let i = 0; i < kills; i++) {
      const child = node(script);
      for (let begun = i % 3; begun > 0; begun--) await once(child.stdout ?? child, "data");
      await killSometime(child, 0, 100);
      const hash = hashOf(output);
      expect([...hashes.keys()]).toContain(hash);
      seen.add(hash);
    }
    if (kills >= 20) expect(seen.size, "kills fell into writing of both").toBe(2);
    expect(
      spawnSync(process.execPath, [command, "quantize", tiny.path, output, "F16"]).status,
    ).toBe(0);
    expect(readdirSync(folder).filter((name) => name.startsWith("out.gguf"))).toEqual(["out.gguf"]);
  });

  it("is a whole sidecar with every change that was confirmed", { timeout }, async () => {
    const path = join(folder, "killed.sparsity.gguf");
    await updateSidecar(path, sidecarModel, {});
    const script = `
      import { updateSidecar } from ${built("sparsity/sidecar/write.js")};
      const model = ${JSON.stringify(sidecarModel)};
      for (;;) {
        let tokens = 0;
        await updateSidecar(${JSON.stringify(path)}, model, (current) => {
          tokens = (current?.learnt?.tokens ?? 0) + 1;
          return { learnt: { tokens, counts: model.neurons.map((n) => new Float64Array(n).fill(tokens)) } };
        });
        process.stdout.write(tokens + "\\n");
      }`;
    let confirmed = 0;
    for (let i = 0; i < kills; i++) {
      // Two at once: the lock of the killed one must not hold up the other.
      const children = [node(script), node(script)];
      for (const child of children) {
        child.stdout?.on("data", (text) => {
          const lines = String(text).trim().split("\n").map(Number);
          confirmed = Math.max(confirmed, ...lines);
        });
      }
      await Promise.all(children.map((child) => killSometime(child, 0, 60)));
      const { learnt } = openSidecar(path, sidecarModel);
      const tokens = learnt?.tokens ?? 0;
      expect(tokens).toBeGreaterThanOrEqual(confirmed);
      expect(learnt?.counts.every((counts) => counts.every((count) => count === tokens))).toBe(
        true,
      );
    }
    expect(confirmed).toBeGreaterThan(kills);
    await updateSidecar(path, sidecarModel, {});
    expect(readdirSync(folder).filter((name) => name.startsWith("killed."))).toEqual([
      "killed.sparsity.gguf",
    ]);
  });
});

describe("a folder of conversations whose process is killed", () => {
  it("has all that were confirmed, whole, and nothing else", { timeout }, async () => {
    const cacheDisk = join(folder, "conversations");
    const prompt = (seed: number): readonly number[] => tokensOf(300, seed % 40);
    const options = { device: "cpu", contextLength: 320, cacheDisk } as const;
    const greedy = { temperature: 0, ignoreEos: true, maxTokens: 4 } as const;
    const script = (begin: number): string => `
      import { Engine } from ${built("index.js")};
      const options = ${JSON.stringify(options)};
      const engine = await Engine.open(${JSON.stringify(tiny.path)}, options);
      const prompts = ${JSON.stringify(Array.from({ length: 40 }, (_, i) => prompt(i)))};
      for (let at = ${begin}; ; at++) {
        await engine.generate(prompts[at % 40], ${JSON.stringify(greedy)}).result;
        await engine.remember();
        process.stdout.write(at + "\\n");
      }`;
    using fresh = await Engine.open(tiny.path, { device: "cpu", contextLength: 320 });
    let [confirmed, begin] = [-1, 0];
    for (let i = 0; i < Math.ceil(kills / 10); i++) {
      // Two at once, in one folder.
      const children = [begin, begin + 20].map((from) => node(script(from)));
      children[0]?.stdout?.on("data", (text) => {
        confirmed = Math.max(confirmed, ...String(text).trim().split("\n").map(Number));
      });
      await Promise.all(children.map((child) => killSometime(child, 0, 60)));
      using engine = await Engine.open(tiny.path, options);
      for (let at = begin; at <= confirmed; at++) {
        const answer = await engine.generate(prompt(at), greedy).result;
        expect(answer.cachedTokens, `conversation ${at}`).toBe(299);
        expect(answer.tokens).toEqual((await fresh.generate(prompt(at), greedy).result).tokens);
      }
      begin = confirmed + 1;
    }
    expect(confirmed).toBeGreaterThanOrEqual(0);
    const [owner = "", ...others] = readdirSync(cacheDisk);
    expect(others).toEqual([]);
    const left = readdirSync(join(cacheDisk, owner)).filter((name) => !name.endsWith(".page"));
    expect(left).toEqual([]);
  });
});

describe("two commands on one sidecar at once", () => {
  it("each keep their counts: what two corpora have in turn is what they have together", {
    timeout: 120_000,
  }, async () => {
    const shape = sidecarModelOf(openModel(openGguf(tiny.path)));
    const corpora = ["first", "second"].map((name, i) => {
      const path = join(folder, `${name}.txt`);
      writeFileSync(path, `${name} text ${"of some words that differ ".repeat(40 + 20 * i)}`);
      return path;
    });
    const profile = (sidecar: string, files: readonly string[]): ChildProcess =>
      spawn(
        process.execPath,
        [command, "profile", tiny.path, "--tokens", "400", "-o", sidecar, "--corpus", ...files],
        { stdio: "inherit" },
      );
    const together = join(folder, "together.gguf");
    const inTurn = join(folder, "in-turn.gguf");
    const children = [
      ...corpora.map((corpus) => profile(together, [corpus])),
      profile(inTurn, corpora),
    ];
    const exits = await Promise.all(children.map((child) => once(child, "exit")));
    expect(exits.map(([code]) => code)).toEqual([0, 0, 0]);
    const [found, expected] = [together, inTurn].map((path) => openSidecar(path, shape).profile);
    expect(found?.tokens).toBe(expected?.tokens);
    expect(found?.counts).toEqual(expected?.counts);
    expect(found?.corpora.map(({ hash }) => hash).sort()).toEqual(
      expected?.corpora.map(({ hash }) => hash).sort(),
    );
  });

  it("that count the same corpus count it once", { timeout: 120_000 }, async () => {
    const shape = sidecarModelOf(openModel(openGguf(tiny.path)));
    const corpus = join(folder, "same.txt");
    writeFileSync(corpus, "the same words again and again ".repeat(60));
    const args = (sidecar: string): readonly string[] => [
      command,
      "profile",
      tiny.path,
      "--tokens",
      "300",
      "-o",
      sidecar,
      "--corpus",
      corpus,
    ];
    const [twice, once_] = [join(folder, "twice.gguf"), join(folder, "once.gguf")];
    const children = [twice, twice, once_].map((path) =>
      spawn(process.execPath, args(path), { stdio: "ignore" }),
    );
    const exits = await Promise.all(children.map((child) => once(child, "exit")));
    expect(exits.map(([code]) => code)).toEqual([0, 0, 0]);
    expect(openSidecar(twice, shape).profile).toEqual(openSidecar(once_, shape).profile);
  });
});
