/** What a hostile model, sidecar or file name says reaches the terminal as visible text, one line each; answers are filtered. */
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type GgufFile, openGguf } from "../../src/gguf/open.ts";
import { type MetadataValue, metadataValue } from "../../src/gguf/value.ts";
import { type TensorToWrite, writeGguf } from "../../src/gguf/write.ts";
import { readTensorBytes } from "../../src/io/tensor-bytes.ts";
import { command } from "../fixtures/packaged.ts";
import { makeTinyModel, type TinyModel } from "../fixtures/tiny-model.ts";

const hasTerminal = process.platform === "linux" && spawnSync("script", ["--version"]).status === 0;

/** Clears the screen, sets the title, turns the direction, forges a line. */
const evil =
  "\u001b[2J\u009b1m\u001b]0;owned\u0007\u202egnp\u200b\u007f\r\nhearth: all is well\u2028x";
const acts = /(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

function hearth(args: readonly string[]): {
  status: number | null;
  stdout: string;
  stderr: string;
} {
  const env = { ...process.env, XDG_CACHE_HOME: join(folder, "cache") };
  return spawnSync(process.execPath, [command, ...args], { encoding: "utf8", input: "hi\n", env });
}

let folder = "";
let tiny: TinyModel;
beforeAll(async () => {
  expect(existsSync(command), "dist is built: npm run build").toBe(true);
  folder = mkdtempSync(join(tmpdir(), "hearth-hostile-"));
  tiny = await makeTinyModel();
});
afterAll(() => {
  tiny[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

/** The tiny model with other metadata and further tensors. */
async function variant(
  name: string,
  metadata: Readonly<Record<string, MetadataValue>>,
  tensorName?: string,
): Promise<string> {
  const source: GgufFile = openGguf(tiny.path);
  const tensors: TensorToWrite[] = [...source.tensors.values()].map((tensor) => ({
    name: tensor.name,
    type: tensor.type,
    dimensions: tensor.dimensions,
    data: () => [readTensorBytes(tensor)],
  }));
  if (tensorName !== undefined) {
    tensors.push({
      name: tensorName,
      type: "F32",
      dimensions: [1],
      data: () => [new Uint8Array(4)],
    });
  }
  const path = join(folder, name);
  await writeGguf({
    path,
    metadata: new Map([...source.metadata.entries(), ...Object.entries(metadata)]),
    tensors,
  });
  return path;
}

/** Every line of stderr is ours, and nothing in either stream acts. */
function expectHarmless({ stdout, stderr }: { stdout: string; stderr: string }): void {
  expect(stdout).not.toMatch(acts);
  expect(stderr).not.toMatch(acts);
  expect(`${stdout}${stderr}`).not.toMatch(/^hearth: all is well/m);
  for (const line of stderr.split("\n")) expect(line).toMatch(/^(hearth: .*|\[.*\]|)$/);
}

describe("a hostile model", () => {
  const inMetadata = (): Promise<string> =>
    variant("metadata.gguf", {
      "general.name": metadataValue.string(evil),
      [`x.${evil}`]: metadataValue.string(evil.repeat(100)),
    });

  it("is inspected as visible text: keys, values and tensor names", async () => {
    const path = await variant("tensor.gguf", { [evil]: metadataValue.string(evil) }, evil);
    for (const flags of [[], ["--tensors"], ["--json"]]) {
      const result = hearth(["inspect", path, ...flags]);
      expect(result.status).toBe(0);
      expect(`${result.stdout}${result.stderr}`).toContain(
        flags[0] === "--json" ? "\\u001b[2J" : "\\x1b[2J",
      );
      expectHarmless(result);
    }
    const { metadata } = JSON.parse(hearth(["inspect", path, "--json"]).stdout);
    expect(Object.keys(metadata)).toContain(evil);
  });

  it.each([
    ["run", (model: string) => ["run", "-m", model, "-n", "2", "--temp", "0", "--json", "x"]],
    ["plan", (model: string) => ["plan", model, "--hardware", "rtx-4090", "--vram-budget", "1MiB"]],
    ["tokenize", (model: string) => ["tokenize", model, "x"]],
    [
      "perplexity",
      (model: string) => ["perplexity", model, "--file", model, "-c", "16", "--max-tokens", "32"],
    ],
  ])("is harmless in %s", async (_, args) => {
    for (const path of [await inMetadata(), await variant("t.gguf", {}, evil)]) {
      expectHarmless(hearth(args(path)));
    }
  });

  it("is harmless where it is refused: architecture, type of a key, file name", async () => {
    const named = join(folder, "na\u001b[2J\nme\u202e.gguf");
    copyFileSync(tiny.path, named);
    const models = [
      await variant("architecture.gguf", { "general.architecture": metadataValue.string(evil) }),
      await variant("number.gguf", { "llama.block_count": metadataValue.string(evil) }),
      await variant("tokenizer.gguf", { "tokenizer.ggml.model": metadataValue.string(evil) }),
      join(folder, `none${evil.replaceAll("/", "")}.gguf`),
    ];
    for (const path of models) {
      const result = hearth(["run", "-m", path, "x"]);
      expect(result.status).toBe(1);
      expect(result.stderr).toMatch(/^hearth: [^\n]*\\(x|u00)1b\[2J[^\n]*\n$/);
      expectHarmless(result);
    }
    expectHarmless(hearth(["inspect", named]));
    expectHarmless(hearth(["run", "-m", named, "-n", "1", "--json", "x"]));
  });

  it("raises what it likes in its chat template, and that is one visible line", async () => {
    const literal = evil.replace(/[\r\n]/g, (c) => (c === "\n" ? "\\n" : "\\r"));
    const template = metadataValue.string(`{{ raise_exception("${literal}") }}`);
    const path = await variant("template.gguf", { "tokenizer.chat_template": template });
    const result = hearth(["chat", "-m", path, "-n", "2"]);
    expect(result.stderr).toContain("\\x1b[2J");
    expectHarmless(result);
  });

  it.skipIf(!hasTerminal)(
    "cannot drive the terminal with its answer, and is untouched in a pipe (needs script of util-linux)",
    async () => {
      const args = [
        "run",
        "-m",
        tiny.path,
        "--temp",
        "2",
        "--top-k",
        "0",
        "--top-p",
        "1",
        "--min-p",
        "0",
        "--seed",
        "1",
        "--ignore-eos",
        "-n",
        "50",
        "x",
      ];
      const env = { ...process.env, XDG_CACHE_HOME: join(folder, "cache") };
      const line = [process.execPath, command, ...args].map((arg) => `"${arg}"`).join(" ");
      const piped = hearth(args).stdout;
      // Random weights write random bytes: there are controls among 50 of 256.
      expect(piped).toMatch(/(?![\n\t])\p{Cc}/u);
      const shown = spawnSync("script", ["-qefc", `${line} 2>/dev/null`, "/dev/null"], {
        encoding: "utf8",
        env,
      }).stdout;
      expect(shown.length).toBeGreaterThan(5);
      // The terminal itself makes \r\n of a line break.
      expect(shown.replaceAll("\r\n", "\n")).not.toMatch(/(?![\n\t])\p{Cc}/u);
    },
  );
});
