/** llama-bench as the other side, by a stand-in: how it is started, what is refused before and while it measures. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeFakeLlamaBench } from "../../../test/fixtures/fake-llama-bench.ts";
import { findLlamaBench, LlamaBench, type LlamaBenchSettings } from "./llama-bench.ts";

let folder = "";
let fake = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "hearth llama bench-"));
  fake = writeFakeLlamaBench(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

const settings: LlamaBenchSettings = {
  model: "some model.gguf",
  threads: 2,
  cacheType: "f16",
  gpu: "none",
};
const decode = { kind: "decode", before: [], first: 20, tokens: 6 } as const;

/** What a run of the stand-in was started with. */
function lastCall(): readonly string[] {
  const lines = readFileSync(join(folder, "calls"), "utf8").trim().split("\n");
  return JSON.parse(lines.at(-1) ?? "[]");
}

async function measureWith(how: string, before: readonly number[] = []): Promise<number> {
  const { command, help } = await findLlamaBench(fake);
  const program = { command: [...command, `--fake=${how}`], help };
  using bench = new LlamaBench(program, settings);
  return await bench.measure({ ...decode, before });
}

describe("llama-bench", () => {
  it("measures one test a run on the same file and threads, without a card where hearth has none", async () => {
    using bench = new LlamaBench(await findLlamaBench(fake), settings);
    expect(await bench.measure({ kind: "prompt", before: [], ids: [5, 6, 7] })).toBe(100);
    const work = (lengths: string): readonly string[] =>
      `${lengths} -t 2 -r 1 -o json -ngl 0 -dev none`.split(" ");
    expect(lastCall()).toEqual(["-m", "some model.gguf", ...work("-p 3 -n 0")]);
    expect(await bench.measure(decode)).toBe(50);
    expect(lastCall()).toEqual(["-m", "some model.gguf", ...work("-p 0 -n 6")]);
    expect(await bench.measure({ ...decode, before: [7, 8, 9, 7] })).toBe(50);
    expect(lastCall()).toEqual(["-m", "some model.gguf", ...work("-p 0 -n 6 -d 4")]);
    expect(bench.name).toBe("llama-bench b42 (abc1234)");
  });

  it("takes cache type and card from hearth's options, and no flag that its build does not know", async () => {
    const { command } = await findLlamaBench(fake);
    const old = { command, help: "" };
    await new LlamaBench(old, { ...settings, cacheType: "q8_0" }).measure(decode);
    expect(lastCall().slice(-6)).toEqual(["-ctk", "q8_0", "-ctv", "q8_0", "-ngl", "0"]);
    await new LlamaBench(old, { ...settings, gpu: "auto" }).measure(decode);
    expect(lastCall().at(-1)).toBe("json");
  });

  it("is started by a path with spaces, or by a command with first arguments", async () => {
    expect((await findLlamaBench(fake)).command).toEqual([fake]);
    const plain = mkdtempSync(join(tmpdir(), "hearth-llama-bench-"));
    const command = `env FOO=1 ${writeFakeLlamaBench(plain)} --fake=`;
    expect((await findLlamaBench(command)).command).toEqual(command.split(" "));
    rmSync(plain, { recursive: true });
  });

  it("is refused before a model is opened where it is missing, not executable, broken or another program", async () => {
    const write = (name: string, text: string, mode: number): string => {
      writeFileSync(join(folder, name), text, { mode });
      return join(folder, name);
    };
    mkdirSync(join(folder, "a-folder"));
    const library = "echo 'cannot open shared object file: libllama.so' >&2; exit 127";
    const cases: readonly (readonly [string, RegExp])[] = [
      [
        "/nowhere/llama-bench",
        /"\/nowhere\/llama-bench", which does not exist, is not usable; exp/,
      ],
      ["no-such-program-anywhere -x", /which does not exist/],
      [write("plain.txt", "text", 0o644), /which may not be executed/],
      [join(folder, "a-folder"), /which may not be executed/],
      [write("broken", `#!/bin/sh\n${library}\n`, 0o755), /which fails \(ended with code 127: can/],
      [write("crash", "#!/bin/sh\nkill -SEGV $$\n", 0o755), /which fails \(was ended by SIGSEGV\)/],
      [`${process.execPath}`, /which is another program/],
    ];
    for (const [command, message] of cases) {
      await expect(findLlamaBench(command), command).rejects.toThrow(message);
    }
  });

  it("says what went wrong while it measured, and measures nothing then", async () => {
    await expect(measureWith("fail")).rejects.toThrow(
      "llama-bench ended with code 1: error: failed to load model",
    );
    await expect(measureWith("killed")).rejects.toThrow("llama-bench was ended by SIGKILL");
    await expect(measureWith("text")).rejects.toThrow(
      'llama-bench: "| model | size |" was printed; expected a JSON list of one test',
    );
    await expect(measureWith("nothing")).rejects.toThrow("nothing was printed");
    await expect(measureWith("other")).rejects.toThrow("n_threads is 3 in its report; expected 2");
    await expect(measureWith("flat", [1, 2])).rejects.toThrow(
      "n_depth is undefined in its report; expected 2",
    );
    await expect(measureWith("no-rate")).rejects.toThrow("avg_ts is 0 in its report");
  });
});
