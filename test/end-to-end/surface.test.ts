/** One surface: a model as -m or as a bare path, the flags that llama.cpp's users type, defaults, JSON in snake_case. */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { command } from "../fixtures/packaged.ts";

const project = resolve(import.meta.dirname, "../..");

let folder = "";
let model = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "hearth-surface-"));
  model = join(folder, "my model.gguf");
  copyFileSync(join(project, "models/default.gguf"), model);
});
afterAll(() => rmSync(folder, { recursive: true }));

function hearth(args: readonly string[], input = "") {
  return spawnSync(process.execPath, [command, ...args], {
    encoding: "utf8",
    input,
    timeout: 250_000,
  });
}

const commands = [...hearth(["--help"]).stdout.matchAll(/^ {2}([a-z][a-z-]+) .*\S/gm)]
  .map(([, name = ""]) => name)
  .filter((name) => name !== "help" && name !== "hearth");

const flagsByCommand = new Map<string, readonly string[]>();

/** Each flag with its whole description, whatever the width of the terminal. Asked for once: each help is a process. */
function flagsOf(name: string): readonly string[] {
  const flags = flagsByCommand.get(name) ?? readFlags(name);
  flagsByCommand.set(name, flags);
  return flags;
}

function readFlags(name: string): readonly string[] {
  const { stdout } = spawnSync(process.execPath, [command, name, "--help"], { encoding: "utf8" });
  const [, options = ""] = stdout.split("Options:\n");
  const [own = ""] = options.split("\n\n");
  return own.split(/\n(?= {2}-)/).map((flag) => flag.replaceAll(/\s+/g, " ").trim());
}

const greedy = ["--temp", "0", "-n", "3", "--json"];

describe("a model", () => {
  it("is given as -m or as a bare path with every command that takes one", () => {
    expect(commands.length).toBeGreaterThan(12);
    // These are about the machine, or about names on it and on the hub.
    const others = ["doctor", "build", "list", "pull", "show", "rm"];
    for (const name of commands.filter((one) => !others.includes(one))) {
      expect(flagsOf(name).join("\n"), name).toMatch(/^-m, --model <file> /m);
    }
    const ids = hearth(["tokenize", model, "a b", "--json"]).stdout;
    for (const args of [
      ["-m", model, "a b"],
      ["a b", "--model", model],
      [`--model=${model}`, "a b"],
    ]) {
      expect(hearth(["tokenize", ...args, "--json"]).stdout, args.join(" ")).toBe(ids);
    }
    expect(JSON.parse(hearth(["inspect", "-m", model, "--json"]).stdout).architecture).toBe(
      "arcee",
    );
    const out = join(folder, "q.gguf");
    expect(hearth(["quantize", "-m", model, out, "q8_0"]).status).toBe(0);
  });

  it("comes before the prompt of run, and alone to chat", () => {
    const expected = JSON.parse(hearth(["run", "-m", model, "Hello", ...greedy]).stdout);
    for (const args of [
      [model, "Hello", ...greedy],
      [...greedy, model, "Hello"],
      [model, "-p", "Hello", ...greedy],
      ["--prompt", "Hello", "-m", model, ...greedy],
    ]) {
      const { stdout, stderr } = hearth(["run", ...args]);
      expect(JSON.parse(stdout).tokens, `${args.join(" ")}: ${stderr}`).toEqual(expected.tokens);
    }
    expect(JSON.parse(hearth(["run", model, ...greedy], "Hello").stdout).tokens).toEqual(
      expected.tokens,
    );
    const dashes = hearth(["run", model, "--json", "-n", "1", "--", "-5 is a number"]).stdout;
    expect(JSON.parse(dashes).prompt_tokens).toBeGreaterThan(4);
    const talk = ["--temp", "0", "-n", "3", "-q"];
    const chat = hearth(["chat", model, ...talk], "Hello\n");
    expect([chat.status, chat.stdout]).toEqual([
      0,
      hearth(["chat", "-m", model, ...talk], "Hello\n").stdout,
    ]);
  });

  it("is missed by its name, and not found by its path", () => {
    expect(hearth(["inspect"])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("'model'"),
    });
    expect(hearth(["run", "no-such.gguf", "Hello"])).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^hearth: no-such\.gguf: [^\n]*\n$/),
    });
    expect(hearth(["run", "-p", "a", "b"]).stderr).toContain("one prompt");
  });
});

describe("what llama.cpp's users type", () => {
  it("is understood", () => {
    const ours = [
      "--threads",
      "1",
      "--seed",
      "7",
      "--context",
      "64",
      "--predict",
      "4",
      "--batch",
      "16",
    ];
    const theirs = [
      "-t",
      "1",
      "-s",
      "7",
      "--ctx-size",
      "64",
      "--n-predict",
      "4",
      "-b",
      "16",
      "--temperature=0.8",
    ];
    const tokens = (flags: readonly string[]): unknown =>
      JSON.parse(hearth(["run", "-m", model, "-p", "Hello", "--json", ...flags]).stdout).tokens;
    expect(tokens(theirs)).toEqual(tokens(ours));
    expect(hearth(["run", "-m", model, "-p", "Hello", "-n", "2", "-v"]).stderr).toContain(
      "sparsity ",
    );
  });

  it.each([
    [["run", "-ngl", "99", "-p", "x"], "--device gpu"],
    [["chat", "--n-gpu-layers=20"], "--vram-budget"],
    [["run", "-hf", "owner/repo", "-p", "x"], "-m"],
    [["run", "-ctk", "q8_0", "x"], "--cache-type"],
    [["run", "-cnv"], "hearth chat"],
    [["perplexity", "-m", "x.gguf", "-fa", "1"], "no flag"],
    [["bench", "x.gguf", "-ngl", "0"], "--device"],
  ])("or is answered in one line with ours: %s", (args, flag) => {
    const { status, stdout, stderr } = hearth(args);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^hearth: -\S+ is a flag of llama\.cpp; [^\n]+\n$/);
    expect(stderr).toContain(flag);
  });

  it("is a text where a text stands", () => {
    const { stdout } = hearth(["run", "-m", model, "--stop", "-ngl", "-n", "1", "--json", "x"]);
    expect(JSON.parse(stdout).completion_tokens).toBe(1);
  });
});

describe("the help", () => {
  it.each(commands)("of %s says the default of every flag that takes a value", (name) => {
    const silent = flagsOf(name).filter((flag) => /<[^>]+>/.test(flag) && !/default/.test(flag));
    expect(silent).toEqual([]);
  });

  it.each(
    commands.filter((name) =>
      ["profile", "train-predictor", "prepare", "plan", "run", "bench"].includes(name),
    ),
  )("of %s names one flag for the sidecar", (name) => {
    const flags = flagsOf(name).filter((flag) => flag.includes("MODEL.sparsity.gguf"));
    expect(flags).toEqual([expect.stringMatching(/^--sidecar <file> /)]);
  });
});

/** Every key below `value`. */
function keysOf(value: unknown): readonly string[] {
  if (typeof value !== "object" || value === null) return [];
  const below = Object.values(value).flatMap(keysOf);
  return Array.isArray(value) ? below : [...Object.keys(value), ...below];
}

describe("--json", () => {
  it.each([
    ["run", () => ["-m", model, "Hello", "-n", "1"]],
    ["inspect", () => [model]],
    ["perplexity", () => [model, "--file", join(folder, "text.txt"), "-c", "16"]],
    ["quantize", () => [model, join(folder, "r.gguf"), "q8_0"]],
    ["plan", () => [model, "--vram-budget", "1GiB", "--hardware", "rtx-4090"]],
    ["profile", () => [model, "--corpus", join(folder, "text.txt"), "--tokens", "200"]],
    ["bench", () => [model, "-p", "4", "-n", "2", "-r", "1"]],
    ["doctor", () => []],
  ])("of %s has keys in snake_case", (name, args) => {
    writeFileSync(
      join(folder, "text.txt"),
      readFileSync(join(project, "docs/PAPER.md")).subarray(0, 3000),
    );
    const { status, stdout, stderr } = hearth([name, ...args(), "--json"]);
    expect(status, stderr).toBe(0);
    const parsed = JSON.parse(stdout);
    // Metadata and tensors are named by the file.
    const { metadata: _, ...own } = parsed;
    const keys = keysOf(own);
    expect(keys.length).toBeGreaterThan(2);
    // A type's name may be a key: "F16".
    expect(keys.filter((key) => /[a-z][A-Z]|-/.test(key))).toEqual([]);
  });

  it("of bench is the same as -o json", () => {
    const of = (flags: readonly string[]) =>
      JSON.parse(
        hearth(["bench", model, "-p", "4", "-n", "0", "-r", "1", "-t", "1", ...flags]).stdout,
      );
    const [a, b] = [of(["--json"]), of(["-o", "json"])];
    expect(keysOf(a)).toEqual(keysOf(b));
    expect(b.results[0].test).toBe("pp4");
    expect(b.results[0].tokens_per_second.median).toBeGreaterThan(0);
  });
});
