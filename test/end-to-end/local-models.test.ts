/** Models of other programs by name, as a user meets them: listed, run where they lie, refused with one clear error. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import {
  addOllamaBlob,
  addOllamaManifest,
  type MadeUpHome,
  makeHome,
  ollamaManifest,
} from "../fixtures/model-folders.ts";
import { command } from "../fixtures/packaged.ts";
import { makeTinyModel, type TinyModel } from "../fixtures/tiny-model.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let home: MadeUpHome;
let tiny: TinyModel;
let blob = "";
beforeAll(async () => {
  home = makeHome();
  tiny = await makeTinyModel();
  const digest = addOllamaBlob(home, readFileSync(tiny.path));
  blob = join(home.path, ".ollama/models/blobs", digest.replace(":", "-"));
  const layers = [
    { kind: "model", digest },
    { kind: "params", digest: addOllamaBlob(home, '{"stop":["x"]}') },
  ];
  const library = "registry.ollama.ai/library";
  addOllamaManifest(home, `${library}/tiny/1b`, ollamaManifest(layers));
  const text = addOllamaBlob(home, "no GGUF at all");
  addOllamaManifest(
    home,
    `${library}/text/latest`,
    ollamaManifest([{ kind: "model", digest: text }]),
  );
  home.write(".lmstudio/models/maker/tiny/other.gguf", "");
  home.write(".lmstudio/models/maker/cut/cut.gguf", readFileSync(tiny.path).subarray(0, 20_000));
  home.link(".lmstudio/models/maker/tiny/tiny.gguf", blob);
  const snapshot = `models--maker--Hub-GGUF/snapshots/${"a".repeat(40)}`;
  home.link(`.cache/huggingface/hub/${snapshot}/Hub-F32.gguf`, blob);
});
afterAll(() => {
  tiny[Symbol.dispose]();
  home[Symbol.dispose]();
});

function hearth(...args: readonly string[]): {
  status: number | null;
  stdout: string;
  stderr: string;
} {
  const own = /^(HOME|USERPROFILE|XDG_CACHE_HOME|OLLAMA_MODELS|LLAMA_CACHE|HF_.*|HUGGINGFACE_.*)$/;
  const others = Object.entries(process.env).filter(([name]) => !own.test(name));
  return spawnSync(process.execPath, [command, ...args], {
    encoding: "utf8",
    env: {
      ...Object.fromEntries(others),
      HOME: home.path,
      USERPROFILE: home.path,
      XDG_CACHE_HOME: join(home.path, ".cache"),
    },
    timeout: 100_000,
  });
}

interface Listed {
  readonly id: string;
  readonly path: string;
  readonly type: string | null;
  readonly bytes: number | null;
  readonly runs: boolean;
  readonly reason: string | null;
}

function list(): readonly Listed[] {
  const { status, stdout, stderr } = hearth("list", "--json");
  expect(stderr).toBe("");
  expect(status).toBe(0);
  return JSON.parse(stdout).models;
}

describe("hearth list", () => {
  it("shows the models of other programs, with what their headers say, and the same a second time", () => {
    const models = list();
    const named = (id: string): Listed | undefined => models.find((model) => model.id === id);
    expect(named("hearth:bundled")).toMatchObject({ runs: true, type: "F16" });
    expect(named("ollama:tiny:1b")).toMatchObject({ runs: true, type: "F32", path: blob });
    expect(named("ollama:tiny:1b")?.bytes).toBeGreaterThan(10_000);
    expect(named("ollama:text:latest")?.reason).toMatch(/expected GGUF/);
    expect(named("lmstudio:maker/tiny/other")?.reason).toMatch(/an empty file/);
    expect(named("lmstudio:maker/cut/cut")?.runs).toBe(false);
    expect(list()).toEqual(models);
  });

  it("shows a table of them", () => {
    const { stdout } = hearth("list");
    const [, ...lines] = stdout.trim().split("\n");
    expect(lines).toHaveLength(list().length);
    expect(lines.find((line) => line.startsWith("ollama:tiny:1b"))).toMatch(/F32 .* KiB +yes$/);
  });
});

describe("a model by name", () => {
  const greedy = ["--temp", "0", "-n", "4", "--json"];
  const tokens = (stdout: string): unknown => JSON.parse(stdout).tokens;

  it("runs where it lies, with the same tokens as by its path", () => {
    const byPath = hearth("run", "-m", blob, "-p", "abc", ...greedy);
    const byName = hearth("run", "ollama:tiny:1b", "abc", ...greedy);
    const short = hearth("run", "-m", "tiny:1b", "-p", "abc", ...greedy);
    expect(byPath.stderr).toBe("");
    expect(byName.stderr).toContain("Ollama's own settings of this model (params) are not used");
    expect(tokens(byName.stdout)).toEqual(tokens(byPath.stdout));
    expect(tokens(short.stdout)).toEqual(tokens(byPath.stdout));
    const hub = hearth("run", "hf:maker/Hub-GGUF:F32", "abc", ...greedy);
    expect(tokens(hub.stdout)).toEqual(tokens(byPath.stdout));
  });

  it("is understood by commands whose argument is a model", () => {
    const { stdout } = hearth("inspect", "lmstudio:maker/tiny/tiny", "--json");
    expect(JSON.parse(stdout).runs).toBe(true);
  });

  it("that several have, or nobody, is one error with the names that were meant", () => {
    expect(hearth("inspect", "maker/tiny").stderr).toMatch(
      /^hearth: model: several are called "maker\/tiny"; give lmstudio:maker\/tiny\/other or .*\n$/,
    );
    expect(hearth("run", "olama:tiny:1b")).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(
        /^hearth: --model: "olama:tiny:1b" is neither a file nor a model.*did you mean ollama:tiny:1b\?.*--prompt\)\n$/,
      ),
    });
    expect(hearth("inspect", "lmstudio:maker/gone/x").stderr).toMatch(/is neither a file nor/);
  });
});
