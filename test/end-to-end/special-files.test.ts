/** A named pipe, a device, a folder or nothing in the place of any file: refused in one line, at once, never waited for. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { command } from "../fixtures/packaged.ts";

const project = resolve(import.meta.dirname, "../..");
const model = join(project, "models/default.gguf");
/** A command that waits for a pipe would take all of it. */
const timeout = 60_000;

let folder = "";
let pipe = "";
beforeAll(() => {
  expect(existsSync(command), "dist is built: npm run build").toBe(true);
  folder = mkdtempSync(join(tmpdir(), "hearth-special-"));
  pipe = join(folder, "pipe");
  if (process.platform === "win32") return;
  spawnSync("mkfifo", [pipe]);
  for (const ending of ["csv", "jsonl", "gguf"]) symlinkSync(pipe, `${pipe}.${ending}`);
  mkdirSync(join(folder, "data"));
  symlinkSync(pipe, join(folder, "data/ARC-Easy.jsonl"));
  writeFileSync(join(folder, "empty"), "");
});
afterAll(() => rmSync(folder, { recursive: true }));

function hearth(
  args: readonly string[],
  input?: string,
): { status: number | null; stdout: string; stderr: string } {
  const env = { ...process.env, XDG_CACHE_HOME: join(folder, "cache") };
  return spawnSync(process.execPath, [command, ...args], {
    encoding: "utf8",
    timeout,
    env,
    input: input ?? "",
  });
}

const places: readonly (readonly [string, (file: string) => readonly string[]])[] = [
  ["a model to run", (file) => ["run", "-m", `${file}.gguf`, "x"]],
  ["a model to inspect", (file) => ["inspect", file]],
  ["a model to quantize", (file) => ["quantize", file, join(folder, "out.gguf"), "Q8_0"]],
  ["a prompt", (file) => ["run", "-f", file]],
  ["a text to measure", (file) => ["perplexity", model, "--file", file]],
  ["ids to measure", (file) => ["perplexity", model, "--ids", file]],
  [
    "a corpus of text",
    (file) => ["profile", model, "--corpus", file, "-o", join(folder, "s.gguf")],
  ],
  [
    "a corpus of CSV",
    (file) => ["profile", model, "--corpus", `${file}.csv`, "-o", join(folder, "s.gguf")],
  ],
  [
    "a corpus of JSONL",
    (file) => ["prepare", model, "--corpus", `${file}.jsonl`, "--sidecar", join(folder, "s.gguf")],
  ],
  ["a sidecar", (file) => ["run", "--sidecar", file, "x"]],
  ["a sidecar to write", (file) => ["profile", model, "--corpus", model, "-o", file]],
  ["a hardware profile", (file) => ["plan", model, "--hardware", file, "--vram-budget", "1MiB"]],
  ["a plan", (file) => ["run", "--plan", file, "x"]],
];

describe.skipIf(process.platform === "win32")("a named pipe (not on Windows)", () => {
  it.each(places)("is refused as %s", (_, args) => {
    const { status, stdout, stderr } = hearth(args(pipe));
    expect([1, 2]).toContain(status);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/^hearth: .*pipe.*(is a named pipe|named pipe).*\n$/);
  });

  it("is refused as results of an evaluation and as its data", () => {
    const data = join(folder, "data");
    const { status, stderr } = hearth(["eval", model, "--task", "arc_easy", "--data", data]);
    expect(status).not.toBe(0);
    expect(status).not.toBeNull();
    expect(stderr).toMatch(/^hearth: .*\n$/);
  });
});

describe("stdin", () => {
  it("is the prompt for -f - and for -f /dev/stdin", () => {
    const flags = ["--temp", "0", "-n", "3", "--json"];
    const expected = JSON.parse(hearth(["run", ...flags, "Once upon"]).stdout).tokens;
    const names = process.platform === "win32" ? ["-"] : ["-", "/dev/stdin"];
    for (const name of names) {
      expect(JSON.parse(hearth(["run", ...flags, "-f", name], "Once upon").stdout).tokens).toEqual(
        expected,
      );
    }
  });

  it.skipIf(process.platform === "win32")("that never ends is refused (needs /dev/zero)", () => {
    const line = `"${process.execPath}" "${command}" tokenize "${model}" < /dev/zero`;
    const { status, stderr } = spawnSync("sh", ["-c", line], { encoding: "utf8", timeout });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^hearth: stdin: size: found more than 256.*MiB.*\n$/);
  });
});

describe("what is wrong with a file", () => {
  const wrong: readonly (readonly [string, () => readonly string[], RegExp])[] = [
    [
      "a missing model",
      () => ["run", "-m", "no/model.gguf", "x"],
      /^hearth: no\/model\.gguf: no such file\n$/,
    ],
    ["a folder", () => ["inspect", folder], /is a folder, not a file; in it is pipe\.gguf\n$/],
    [
      "an empty model",
      () => ["inspect", join(folder, "empty")],
      /an empty file \(an interrupted download\?\)/,
    ],
    [
      "an address",
      () => ["run", "-m", "https://x.org/a.gguf", "x"],
      /this is an address: hearth pull fetches models of Hugging Face/,
    ],
    ["a missing prompt", () => ["run", "-f", "none.txt"], /^hearth: none\.txt: no such file\n$/],
    [
      "a missing plan",
      () => ["run", "--plan", "none.json", "x"],
      /^hearth: none\.json: no such file\n$/,
    ],
    [
      "a damaged sidecar",
      () => {
        const sidecar = join(folder, "damaged.gguf");
        writeFileSync(sidecar, "GGUF and then nothing");
        return ["run", "--sidecar", sidecar, "x"];
      },
      /^hearth: .*damaged\.gguf: .*; delete the sidecar, and hearth prepare makes it again\n$/,
    ],
  ];
  it.each(wrong)("is said as a person writes it: %s", (_, args, text) => {
    const { status, stderr } = hearth(args());
    expect(status).toBe(1);
    expect(stderr).toMatch(text);
    expect(stderr).toMatch(/^[^\n]*\n$/);
  });

  it("is a wrong argument, and said as a person writes it: a name that no model here has", () => {
    const { status, stderr } = hearth(["chat", "-m", "owner/repo"]);
    expect(status).toBe(2);
    expect(stderr).toMatch(
      /^hearth: --model: .*hf:owner\/repo is a repository on Hugging Face[^\n]*\n$/,
    );
  });
});

describe.skipIf(process.platform === "win32")("a cache that cannot be (not on Windows)", () => {
  it.each(["/dev/null/x", "/proc/1/x"])("fails no command, and is said once: %s", (place) => {
    const args = ["plan", model, "--hardware", "rtx-4090", "--vram-budget", "4MiB"];
    const env = { ...process.env, XDG_CACHE_HOME: place };
    const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...args], {
      encoding: "utf8",
      env,
      timeout,
    });
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout.match(/nothing is kept for the next time/g)).toHaveLength(1);
    expect(stdout).toContain("tokens/s");
  });
});

describe("an output that cannot be written", () => {
  const nowhere = join(tmpdir(), "hearth-no-such-folder", "x");
  const commands: readonly (readonly [string, readonly string[]])[] = [
    ["quantize", ["quantize", model, nowhere, "Q8_0"]],
    ["profile", ["profile", model, "--corpus", model, "-o", nowhere]],
    ["profile --plot", ["profile", model, "--plot", nowhere]],
    ["prepare", ["prepare", model, "--sidecar", nowhere]],
    ["prepare --plot", ["prepare", model, "--plot", nowhere]],
    ["train-predictor", ["train-predictor", model, "--sidecar", nowhere]],
    ["plan --plot", ["plan", model, "--plot", nowhere]],
    ["run --timeline", ["run", "--timeline", nowhere, "x"]],
    ["bench --save", ["bench", model, "--save", nowhere]],
    ["doctor --output", ["doctor", "--measure", "--output", nowhere]],
  ];

  it.each(commands)("is found before the work: %s", (_, args) => {
    const { status, stdout, stderr } = hearth(args);
    expect([1, 2]).toContain(status);
    expect(stdout).toBe("");
    expect(stderr).toMatch(
      /^hearth: .*cannot be written: the folder .*hearth-no-such-folder does not exist\n$/,
    );
  });

  it("is found before the work by the API too, beside the model", async () => {
    const { profileModel, prepareModel } = await import("../../src/index.ts");
    for (const work of [
      () => profileModel(model, { corpora: [model], sidecar: nowhere }),
      () => prepareModel(model, { sidecar: nowhere }),
    ]) {
      await expect(work()).rejects.toMatchObject({
        name: "FileAccessError",
        code: "ENOENT",
        file: nowhere,
      });
    }
  });
});
