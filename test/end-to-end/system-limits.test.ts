/** Limits of the system on threads and address space: fewer threads and a notice, or one clear error; never an abort. */
import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { loadAddon } from "../../src/backends/addon.ts";
import { command } from "../fixtures/packaged.ts";

const addon = loadAddon();
const obstacle =
  process.platform !== "linux"
    ? "ulimit -v is Linux's"
    : addon.kind === "missing"
      ? addon.reason
      : undefined;

/** 512 stacks of 8 MiB are 4 GiB; Node itself wants 0.8 to 1.5 GiB of addresses. */
const limitsKiB = [1_500_000, 2_000_000, 3_000_000, 4_000_000];

describe.skipIf(obstacle !== undefined)(`512 threads within a limit (${obstacle ?? ""})`, () => {
  it.each(limitsKiB)("of %i KiB of addresses end in an answer or in one error", (limit) => {
    const line = `ulimit -v ${limit}; exec "$0" "$@"`;
    const list = [process.execPath, command, "run", "hi", "-n", "4", "--threads", "512"];
    const { status, signal, stderr } = spawnSync("sh", ["-c", line, ...list], {
      encoding: "utf8",
    });
    expect({ signal, stderr }).toMatchObject({ signal: null });
    if (status === 0) expect(stderr).toMatch(/512 were asked for and the system started \d+/);
    else expect(stderr).toMatch(/^hearth: .*(memory|thread).*\n$/i);
  });
});
