/** The command line as a user meets it: the built program in a process of its own. Built by `npm test` beforehand. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { command } from "../fixtures/packaged.ts";

/** Each test starts the command line, which ends after 250 s at most. */
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const project = resolve(import.meta.dirname, "../..");
const model = join(project, "models/default.gguf");
const data = process.env["HEARTH_TEST_DATA"];

interface Golden {
  readonly prompts: readonly {
    readonly prompt: string;
    readonly prompt_ids: readonly number[];
    readonly greedy_ids: readonly number[];
  }[];
  readonly perplexity: { readonly value: number; readonly ids: readonly number[] };
}
const golden: Golden = JSON.parse(readFileSync(join(project, "test/golden/default.json"), "utf8"));

const hasTerminal = process.platform === "linux" && spawnSync("script", ["--version"]).status === 0;

function hearth(
  args: readonly string[],
  input = "",
): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [command, ...args], {
    encoding: "utf8",
    input,
    timeout: 250_000,
  });
}

let folder = "";
beforeAll(() => {
  expect(existsSync(command), "dist is built: npm run build").toBe(true);
  folder = mkdtempSync(join(tmpdir(), "hearth-cli-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("hearth run", () => {
  it("writes the golden greedy tokens of the bundled model", () => {
    const [first] = golden.prompts;
    const { status, stdout } = hearth([
      "run",
      first?.prompt ?? "",
      "--temp",
      "0",
      "-n",
      "48",
      "--json",
    ]);
    expect(status).toBe(0);
    const result = JSON.parse(stdout);
    expect(result.tokens).toEqual(first?.greedy_ids);
    expect(result.prompt_tokens).toBe(first?.prompt_ids.length);
    expect(result.completion_tokens).toBe(48);
    expect(result.finish_reason).toBe("length");
    expect(result.timings.decode_tokens_per_second).toBeGreaterThan(0);
  });

  it("takes a prompt from a pipe and keeps text and figures apart", () => {
    const piped = hearth(["run", "--temp", "0", "-n", "5"], "Once upon a time there was a");
    const argued = hearth(["run", "--temp", "0", "-n", "5", "Once upon a time there was a"]);
    expect(piped.stdout).toBe(argued.stdout);
    expect(piped.stderr).toContain("tok/s");
  });

  it("starts from BOS alone for an explicit empty prompt, and reads no stdin", () => {
    const { stdout } = hearth(["run", "", "--temp", "0", "-n", "3", "--json"], "never read");
    expect(JSON.parse(stdout).prompt_tokens).toBe(1);
  });

  it.skipIf(data === undefined)(
    "reproduces stories260K word for word (needs HEARTH_TEST_DATA)",
    () => {
      const stories = join(data ?? "", "models/stories260K");
      const args = [
        "run",
        "-m",
        join(stories, "stories260K-f32.gguf"),
        "--temp",
        "0",
        "-n",
        "256",
        "",
      ];
      const expected = readFileSync(join(stories, "greedy-expected.txt"), "utf8");
      expect(hearth(args).stdout.trimEnd()).toBe(expected.trimEnd());
    },
  );
});

describe("hearth perplexity", () => {
  it("agrees with the independent value of the bundled model within 0.1 %", () => {
    const ids = join(folder, "ids.json");
    writeFileSync(ids, JSON.stringify(golden.perplexity.ids));
    const { stdout } = hearth(["perplexity", model, "--ids", ids, "-c", "256", "--json"]);
    const result = JSON.parse(stdout);
    expect(Math.abs(result.perplexity / golden.perplexity.value - 1)).toBeLessThan(1e-3);
    expect(result.tokens).toBe(64 * 127);
  });
});

describe("hearth tokenize and inspect", () => {
  it("print ids, also of bytes on stdin", () => {
    const [first] = golden.prompts;
    const args = ["tokenize", model, "--json", "--bos"];
    expect(JSON.parse(hearth(args, first?.prompt).stdout)).toEqual(first?.prompt_ids);
  });

  it("describe the bundled model", () => {
    const result = JSON.parse(hearth(["inspect", model, "--json"]).stdout);
    expect(result.architecture).toBe("arcee");
    expect(result.context_length).toBe(256);
    expect(result.file_bytes).toBe(readFileSync(model).length);
    expect(result.tensors).toBe(2 + 4 * 8);
    expect(result).toMatchObject({ runs: true, memory: { context: 256 } });
    expect(result.memory.needed_bytes).toBe(result.file_bytes + result.memory.kv_cache_f16_bytes);
  });

  it("say whether a file runs, with what memory, and why not", () => {
    const whole = hearth(["inspect", model, "-c", "256"]).stdout;
    expect(whole).toMatch(/^runs +yes \(\S+ MiB of \S+ GiB at 256 tokens, \S+ KiB of it KV cache/m);
    const cut = join(folder, "cut.gguf");
    writeFileSync(cut, readFileSync(model).subarray(0, 400_000));
    const text = hearth(["inspect", cut]);
    expect(text.status).toBe(0);
    expect(text.stdout).toMatch(/^architecture +arcee$/m);
    expect(text.stdout).toMatch(/^runs +no: .*cut\.gguf: tensor .* of data in the file$/m);
    const json = JSON.parse(hearth(["inspect", cut, "--json"]).stdout);
    expect(json).toMatchObject({ runs: false, reason: expect.stringMatching(/cut\.gguf: tensor/) });
  });
});

describe("hearth chat", () => {
  it("answers each line of a pipe and announces a model without a template", () => {
    const { status, stdout, stderr } = hearth(
      ["chat", "--temp", "0", "-n", "4"],
      "Hello\nAnd then?\n",
    );
    expect(status).toBe(0);
    expect(stdout.trim()).not.toBe("");
    expect(stderr).toContain("no chat template");
  });

  it("leaves at /exit although more could be said, and takes no unknown command for a question", async () => {
    const child = spawn(process.execPath, [command, "chat", "--temp", "0", "-n", "4"]);
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (text) => {
      stdout += text;
    });
    child.stderr.on("data", (text) => {
      stderr += text;
    });
    child.stdin.write("/leave\n/clear\n/exit\n");
    const [code] = await once(child, "close");
    expect([code, stdout]).toEqual([0, ""]);
    expect(stderr).toContain("no command /leave");
  });

  it.skipIf(!hasTerminal)(
    "stops an answer at Ctrl-C, goes on, and leaves at the second when idle (needs script of util-linux)",
    async () => {
      const chat = `"${process.execPath}" "${command}" chat --temp 0 --ignore-eos --context-shift`;
      const child = spawn("script", ["-qefc", chat, "/dev/null"]);
      let seen = "";
      child.stdout.on("data", (text) => {
        seen += text;
      });
      /** What came since, up to and with `end`. */
      const until = async (isEnd: (text: string) => boolean): Promise<string> => {
        while (!isEnd(seen)) await once(child.stdout, "data");
        const text = seen;
        seen = "";
        return text;
      };
      // What readline clears the line with, then the prompt: no model writes that.
      const isPrompt = (text: string): boolean => text.includes("[0J> ");
      await until(isPrompt);
      for (const question of ["Who goes there?", "And then?"]) {
        child.stdin.write(`${question}\r`);
        await until((text) => text.length > 200);
        child.stdin.write("\x03");
        await until(isPrompt);
      }
      child.stdin.write("\x03");
      expect(await until((text) => text.includes("leaves."))).toContain("Ctrl-C again");
      child.stdin.write("\x03");
      const [code] = await once(child, "close");
      expect(code).toBe(0);
    },
  );
});

describe("what is wrong", () => {
  const truncated = (): string => {
    const path = join(folder, "truncated.gguf");
    writeFileSync(path, readFileSync(model).subarray(0, 200_000));
    return path;
  };
  const wrongMagic = (): string => {
    const path = join(folder, "magic.gguf");
    writeFileSync(path, "PK\u0003\u0004 not a model");
    return path;
  };

  it.each([
    [
      "a file that is not there",
      () => ["run", "-m", join(folder, "none.gguf"), "x"],
      1,
      "none.gguf",
    ],
    ["a truncated file", () => ["run", "-m", truncated(), "x"], 1, "truncated.gguf"],
    ["a wrong magic", () => ["inspect", wrongMagic()], 1, "magic"],
    ["an unknown flag", () => ["run", "--nonsense", "x"], 2, "--nonsense"],
    ["an unknown command", () => ["nonsense"], 2, "nonsense"],
    ["a number that is none", () => ["run", "-n", "many", "x"], 2, "whole number"],
    ["a value out of range", () => ["run", "--top-p", "3", "x"], 2, "hearth: --top-p: 3"],
    ["a temperature below zero", () => ["run", "--temp", "-1", "x"], 2, "hearth: --temp: -1"],
    ["steps without rows", () => ["run", "--batch", "0", "x"], 2, "hearth: --batch: 0"],
    [
      "a ratio below one",
      () => ["train-predictor", model, "--max-ratio", "0.5"],
      2,
      "hearth: --max-ratio: 0.5",
    ],
    ["no threads", () => ["run", "--threads", "0", "x"], 2, "hearth: --threads: 0"],
    [
      "too few tokens",
      () => ["perplexity", model, "--file", model, "-c", "2"],
      2,
      "hearth: --context: 2",
    ],
    [
      "no tokens",
      () => ["profile", model, "--corpus", model, "--tokens", "0"],
      2,
      "hearth: --tokens: 0",
    ],
    ["no memory", () => ["prepare", model, "--memory", "0"], 2, "--memory <MiB>"],
    ["less than no loss", () => ["prepare", model, "--max-perplexity-loss", "-1"], 2, "at least 0"],
    [
      "an empty name of a corpus",
      () => ["train-predictor", model, "--corpus", ""],
      2,
      "hearth: --corpus: ",
    ],
    ["an empty name of a model", () => ["inspect", ""], 2, "hearth: model: "],
    ["a name of no repository", () => ["pull", "owner/../name"], 2, "hearth: name: "],
    ["a card that nothing is measured on", () => ["doctor", "--gpu", "0"], 2, "hearth: --gpu: "],
    [
      "a timeline in no folder",
      () => ["run", "--timeline", join(folder, "no/timeline"), "x"],
      2,
      "hearth: --timeline: ",
    ],
    [
      "a timeline that is a folder",
      () => ["run", "--timeline", folder, "x"],
      2,
      "hearth: --timeline: ",
    ],
    ["no text to measure", () => ["perplexity", model], 2, "--file and --ids"],
    ["a context of nothing", () => ["inspect", model, "-c", "0"], 2, "at least 1"],
    ["an unknown device", () => ["run", "--device", "toaster", "x"], 2, "toaster"],
    [
      "a prompt longer than the context",
      () => ["run", "-c", "4", "one two three four five"],
      1,
      "4",
    ],
  ])("is said in one line: %s", (_, args, code, mentions) => {
    const { status, stderr, stdout } = hearth(args());
    expect(status).toBe(code);
    expect(stdout).toBe("");
    expect(stderr).toContain(mentions);
    expect(stderr).toMatch(/^hearth: .*\n$/);
    expect(stderr).not.toMatch(/\n\s+at /);
  });
});

describe("a file to be written", () => {
  it("keeps what is in it when the command fails", () => {
    const trace = join(folder, "trace.json");
    writeFileSync(trace, "of yesterday");
    expect(hearth(["run", "-m", "no-such.gguf", "--timeline", trace, "x"]).status).toBe(1);
    expect(readFileSync(trace, "utf8")).toBe("of yesterday");
  });

  it("is not made when the command fails", () => {
    const plot = join(folder, "plot.svg");
    expect(hearth(["plan", "no-such.gguf", "--plot", plot]).status).toBe(1);
    expect(existsSync(plot)).toBe(false);
  });
});

describe("a prompt on stdin", () => {
  it("is taken byte for byte, also where it is no UTF-8", () => {
    const bytes = Buffer.from([0xff, 0xfe, 0x80, 0x61]);
    const run = (args: readonly string[]): string =>
      spawnSync(process.execPath, [command, ...args], { input: bytes, encoding: "utf8" }).stdout;
    const ids: unknown[] = JSON.parse(run(["tokenize", model, "--bos", "--json"]));
    expect(ids).toHaveLength(5);
    expect(JSON.parse(run(["run", "-n", "1", "--json"])).prompt_tokens).toBe(ids.length);
  });
});

describe("a reader that goes away", () => {
  it("ends the answer quietly: hearth run | head", async () => {
    const child = spawn(process.execPath, [command, "run", "--ignore-eos", "--context-shift", "x"]);
    let stderr = "";
    child.stderr.on("data", (text) => {
      stderr += text;
    });
    child.stdout.once("data", () => child.stdout.destroy());
    const [code] = await once(child, "close");
    expect(code).toBe(0);
    expect(stderr).not.toMatch(/EPIPE|\n\s+at /);
  });
});

describe("Ctrl-C", () => {
  it.skipIf(process.platform === "win32")(
    "ends the answer, sums it up and says so in the exit code (not on Windows: no SIGINT to send)",
    async () => {
      const child = spawn(process.execPath, [
        command,
        "run",
        "--ignore-eos",
        "--context-shift",
        "x",
      ]);
      let stderr = "";
      child.stderr.on("data", (text) => {
        stderr += text;
      });
      child.stdout.once("data", () => child.kill("SIGINT"));
      const [code] = await once(child, "close");
      expect(code).toBe(130);
      expect(stderr).toContain("tok/s");
    },
  );
});
