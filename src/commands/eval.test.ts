/** Evaluation on a tiny random model: what the session computes, reproducibly, also when it is stopped and goes on. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeTinyModel, type TinyModel } from "../../test/fixtures/tiny-model.ts";
import { loadAddon } from "../backends/addon.ts";
import { OptionError } from "../core/errors.ts";
import { openModelFile } from "../engine/open.ts";
import { logSumExp } from "../runtime/sampling/logprobs.ts";
import { type EvaluateOptions, type Evaluation, evaluate } from "./eval.ts";

let model: TinyModel;
let folder = "";

beforeAll(async () => {
  model = await makeTinyModel(["--context", "512"]);
  folder = mkdtempSync(join(tmpdir(), "hearth-eval-"));
  for (const name of ["piqa", "mmlu/test", "mmlu/dev"]) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  const goals = Array.from({ length: 9 }, (_, i) => ({
    goal: `goal number ${i * 37}`,
    sol1: `do ${i} and wait`,
    sol2: `do not ${i * i}`,
  }));
  writeFileSync(join(folder, "piqa/valid.jsonl"), goals.map((g) => JSON.stringify(g)).join("\n"));
  writeFileSync(join(folder, "piqa/valid-labels.lst"), goals.map((_, i) => i % 2).join("\n"));
  const rows = goals.map(({ goal }, i) => `${goal}?,w${i},x,y,z,${i % 4}`).join("\n");
  writeFileSync(join(folder, "mmlu/test/law_test.csv"), rows);
  writeFileSync(join(folder, "mmlu/dev/law_dev.csv"), rows);
});

afterAll(() => {
  model[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

function run(options: Partial<EvaluateOptions> = {}): Promise<Evaluation> {
  const tasks = ["piqa", "mmlu"];
  return evaluate(model.path, { device: "reference", tasks, data: folder, ...options });
}

/** Log-likelihoods as they stand in a results file, by question. */
async function likelihoods(options: Partial<EvaluateOptions> = {}): Promise<unknown> {
  const results = join(folder, "results.jsonl");
  rmSync(results, { force: true });
  await run({ results, ...options });
  const lines = readFileSync(results, "utf8").trimEnd().split("\n").slice(1);
  return lines.map((line) => JSON.parse(line).log_likelihoods);
}

describe("evaluate", () => {
  it("gives the log-likelihood that a plain pass over each choice gives", async () => {
    const [first] = (await likelihoods({ tasks: ["piqa"], limit: 1 })) as number[][];
    const opened = await openModelFile(model.path, { device: "reference" }, "per row");
    const { tokenizer, session } = opened;
    for (const [i, solution] of [" do 0 and wait", " do not 0"].entries()) {
      const context = "Question: goal number 0\nAnswer:";
      const start = tokenizer.encode(context).length;
      const tokens = tokenizer.encode(context + solution);
      session.cache.truncate(0, 0);
      let sum = 0;
      for (let at = 0; at + 1 < tokens.length; at++) {
        session.addForOutput(0, tokens[at]!, "prompt");
        await session.run();
        const logits = session.logits(0);
        if (at + 1 >= start) sum += logits[tokens[at + 1]!]! - logSumExp(logits);
      }
      // The same rows in other steps: sums of ≤ 40 terms in another order of the reference's double precision.
      expect(first?.[i]).toBeCloseTo(sum, 4);
    }
    opened[Symbol.dispose]();
  });

  it("reports accuracies, and none of a difference unless it compares", async () => {
    const { tasks } = await run({ limit: 4, fewShot: 2 });
    expect(tasks.map(({ task, questions, fewShot }) => [task, questions, fewShot])).toEqual([
      ["piqa", 4, 0],
      ["mmlu", 4, 2],
    ]);
    expect(tasks[0]?.metrics.map(({ metric }) => metric)).toEqual(["acc", "acc_norm"]);
    expect(tasks[0]?.metrics[0]?.difference).toBeUndefined();
  });

  it("finds no difference between dense and dense", async () => {
    const { tasks, reference } = await run({ sparsity: "dense", compare: "dense" });
    expect(reference).toContain("sparsity dense");
    for (const { difference } of tasks.flatMap(({ metrics }) => metrics)) {
      expect(difference).toEqual({ mean: 0, standardError: 0, gained: 0, lost: 0 });
    }
  });

  it("goes on from a results file, whose half-written last line is forgotten", async () => {
    const results = join(folder, "stopped.jsonl");
    rmSync(results, { force: true });
    const whole = await run({ results });
    const text = readFileSync(results, "utf8");
    const half = Math.floor(text.length / 2);
    writeFileSync(results, text.slice(0, half));
    expect(await run({ results })).toEqual(whole);
    expect(readFileSync(results, "utf8")).toBe(text);
    await expect(run({ results, contextLength: 100 })).rejects.toThrow(OptionError);
  });

  it("counts questions whose beginning is cut to the context", async () => {
    const { tasks } = await run({ contextLength: 24, tasks: ["piqa"] });
    expect(tasks[0]?.truncated).toBe(9);
  });

  it("refuses examples for a task that has none, and a task that is none", async () => {
    await expect(run({ tasks: ["piqa"], fewShot: 1 })).rejects.toThrow("the task mmlu");
    await expect(run({ tasks: ["pica"] })).rejects.toThrow("task pica");
  });
});

const noAddon = loadAddon().kind === "missing";
describe.skipIf(noAddon)(`on the CPU${noAddon ? " (skipped: no native addon)" : ""}`, () => {
  it("gives the same digits for any number of threads", async () => {
    const once = await likelihoods({ device: "cpu", threads: 1, fewShot: 3 });
    expect(await likelihoods({ device: "cpu", threads: 2, fewShot: 3 })).toEqual(once);
  });

  it("gives the same digits when it was stopped and goes on", async () => {
    const results = join(folder, "cpu.jsonl");
    rmSync(results, { force: true });
    const ask = () => run({ device: "cpu", fewShot: 3, results });
    const whole = await ask();
    const text = readFileSync(results, "utf8");
    for (const share of [0.2, 0.75]) {
      writeFileSync(results, text.slice(0, Math.floor(text.length * share)));
      expect(await ask()).toEqual(whole);
      expect(readFileSync(results, "utf8")).toBe(text);
    }
  });
});
