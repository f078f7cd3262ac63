/** `hearth quantize` as a user meets it: the built program in a process of its own. Built by `npm test` beforehand. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { command } from "../fixtures/packaged.ts";

/** Each test starts the command line, which ends after 250 s at most. */
vi.setConfig({ testTimeout: 300_000 });

const project = resolve(import.meta.dirname, "../..");
const model = join(project, "models/default.gguf");
const folder = mkdtempSync(join(tmpdir(), "hearth-quantize-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function hearth(args: readonly string[]): {
  status: number | null;
  stdout: string;
  stderr: string;
} {
  return spawnSync(process.execPath, [command, ...args], { encoding: "utf8", timeout: 250_000 });
}

describe("hearth quantize", () => {
  it("writes a model that runs", () => {
    const golden = JSON.parse(readFileSync(join(project, "test/golden/default.json"), "utf8"));
    const [{ prompt, greedy_ids: ids }] = golden.prompts;
    const out = join(folder, "q8_0.gguf");
    expect(hearth(["quantize", model, out, "Q8_0"]).status).toBe(0);
    const { stdout } = hearth(["run", "-m", out, prompt, "--temp", "0", "-n", "1", "--json"]);
    expect(JSON.parse(stdout).tokens).toEqual(ids.slice(0, 1));
  });

  it("weighs errors by a matrix of hearth profile, the same whatever the number of threads", () => {
    const [corpus, matrix] = [join(folder, "corpus.txt"), join(folder, "imatrix.gguf")];
    writeFileSync(corpus, "It was a dark and stormy night; the rain fell in torrents. ".repeat(20));
    expect(hearth(["profile", model, "--corpus", corpus, "--imatrix", matrix]).status).toBe(0);
    const write = (name: string, options: readonly string[]): Buffer => {
      const out = join(folder, name);
      const { status, stderr } = hearth(["quantize", model, out, "q4_0", ...options]);
      expect(status, stderr).toBe(0);
      return readFileSync(out);
    };
    const known = write("known.gguf", ["--imatrix", matrix, "-t", "1"]);
    expect(write("again.gguf", ["--imatrix", matrix, "-t", "2"]).equals(known)).toBe(true);
    expect(write("unknown.gguf", []).equals(known)).toBe(false);
  });

  it("writes all matrices alike where that is asked for, and says each type as JSON", () => {
    const args = ["quantize", model, join(folder, "pure.gguf"), "Q4_K_M", "--pure", "--json"];
    const { tensors } = JSON.parse(hearth(args).stdout);
    const types: readonly string[] = tensors.map(({ to }: { to: string }) => to);
    expect(new Set(types.filter((type) => type !== "F32"))).toEqual(new Set(["Q4_K"]));
  });

  it.each([
    ["an unknown type", ["Q9"], 2, "Q9"],
    ["a model in place of an importance matrix", ["Q4_0", "--imatrix", model], 1, "matrix"],
    ["no thread", ["Q4_0", "--threads", "0"], 2, "threads"],
  ])("says in one line, and leaves nothing behind: %s", (_, args, code, mentions) => {
    const out = join(folder, "refused.gguf");
    const { status, stderr, stdout } = hearth(["quantize", model, out, ...args]);
    expect({ status, stdout }).toEqual({ status: code, stdout: "" });
    expect(stderr).toContain(mentions);
    expect(stderr).toMatch(/^hearth: .*\n$/);
    expect(existsSync(out)).toBe(false);
  });
});
