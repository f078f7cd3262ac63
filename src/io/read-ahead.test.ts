import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readAhead } from "./read-ahead.ts";

const openDescriptors = (): number | undefined =>
  process.platform === "linux" ? readdirSync("/proc/self/fd").length : undefined;

describe("reading ahead", () => {
  it("keeps no descriptor, of short files, long ones and none", async () => {
    const folder = mkdtempSync(join(tmpdir(), "hearth-ahead-"));
    try {
      writeFileSync(join(folder, "short"), "abc");
      writeFileSync(join(folder, "long"), Buffer.alloc(3 << 20));
      const before = openDescriptors();
      await readAhead(join(folder, "short"), [{ begin: 0, end: 1 << 20 }]);
      await readAhead(join(folder, "long"), [{ begin: 0, end: 2 << 20 }]);
      await readAhead(join(folder, "absent"), [{ begin: 0, end: 1 << 20 }]);
      await readAhead(
        join(folder, "long"),
        [1, 5, 2].map((at) => ({ begin: at << 20, end: (at << 20) + 9 })),
      );
      await readAhead(folder, [{ begin: 0, end: 1 << 20 }]);
      expect(openDescriptors()).toBe(before);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
