/** A model on the hub, known by parts: what is read of it, and that it is judged as if it were here. */
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeTinyModel, type TinyModel } from "../../../test/fixtures/tiny-model.ts";
import type { RemoteFile } from "../../hub/remote-file.ts";
import { inspectModel } from "../inspect.ts";
import { createStandIn } from "./remote-model.ts";

let tiny: TinyModel;
const folder = mkdtempSync(join(tmpdir(), "remote-model-"));
beforeAll(async () => {
  tiny = await makeTinyModel(["--vocab", "2000", "--dim", "64"]);
});
afterAll(() => {
  tiny[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

interface Served {
  readonly remote: RemoteFile;
  readonly read: { readonly offset: number; readonly length: number }[];
}

function serve(bytes: Uint8Array, path = "model-Q4_0.gguf"): Served {
  const read: { offset: number; length: number }[] = [];
  const size = bytes.length;
  return {
    read,
    remote: {
      file: { repository: "a/b", revision: "c".repeat(40), path, size, digest: "d".repeat(64) },
      read: async (offset, length) => {
        expect(offset + length).toBeLessThanOrEqual(size);
        read.push({ offset, length });
        return bytes.slice(offset, offset + length);
      },
    },
  };
}

describe("a model on the hub", () => {
  it.each([16, 1000, 4096, 1 << 20])(
    "is inspected as if it were here, from windows of %i bytes on",
    async (window) => {
      const bytes = readFileSync(tiny.path);
      const { remote, read } = serve(bytes);
      const { architecture, runs, parameters, fileBytes, tensors } = inspectModel(tiny.path);
      using standIn = await createStandIn([remote], window);
      const there = inspectModel(standIn.path);
      expect(there).toMatchObject({ architecture, runs, parameters, fileBytes, tensors });
      expect(runs).toBe(true);
      const total = read.reduce((sum, { length }) => sum + length, 0);
      expect(standIn.bytesRead).toBe(total);
      const headerBytes = Math.min(...offsets(tiny.path));
      expect(total).toBeLessThanOrEqual(Math.max(window, 2 * headerBytes));
    },
  );

  it("takes no space for its weights, and none when it was looked at", async () => {
    const { remote } = serve(new Uint8Array([...readFileSync(tiny.path)]));
    const standIn = await createStandIn([remote]);
    const { path } = standIn;
    expect(statSync(path).size).toBe(remote.file.size);
    standIn[Symbol.dispose]();
    expect(() => statSync(path)).toThrow(/ENOENT/);
  });

  it("that is no GGUF is an error that says so, after one read", async () => {
    const { remote, read } = serve(new Uint8Array(4 << 20).fill(60));
    await expect(createStandIn([remote])).rejects.toThrow(/model-Q4_0\.gguf: magic/);
    expect(read).toHaveLength(1);
  });

  it("that ends in its header is an error", async () => {
    const { remote } = serve(readFileSync(tiny.path).subarray(0, 3000));
    await expect(createStandIn([remote], 100)).rejects.toThrow(/model-Q4_0\.gguf/);
  });
});

function offsets(path: string): readonly number[] {
  const bytes = inspectModel(path).tensors.map((tensor) => tensor.bytes);
  return [statSync(path).size - bytes.reduce((sum, one) => sum + one, 0)];
}
