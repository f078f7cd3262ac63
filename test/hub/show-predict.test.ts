/** `hearth show --predict` against the stand-in: how fast each model would run, before one is fetched. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { command } from "../fixtures/packaged.ts";
import { makeTinyModel } from "../fixtures/tiny-model.ts";
import { startHub } from "./stand-in-hub.ts";

it("shows how each model would run, and why one does not", { timeout: 120_000 }, async () => {
  using tiny = await makeTinyModel();
  const home = mkdtempSync(join(tmpdir(), "hearth-show-"));
  const files = {
    "made-F32.gguf": readFileSync(tiny.path),
    "made-Q2_K.gguf": new Uint8Array(500).fill(60),
  };
  await using hub = await startHub({ "owner/made-GGUF": { files } });
  try {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [command, "show", "owner/made-GGUF", "--predict"],
      { env: { ...process.env, HF_ENDPOINT: hub.endpoint, HF_HOME: home, XDG_CACHE_HOME: home } },
    );
    expect(stdout).toMatch(/F32 .*\d+ tokens\/s, prompts \d+ tokens\/s, on \w+, dense/);
    expect(stdout).toMatch(/Q2_K .*does not run: made-Q2_K\.gguf: magic/);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});
