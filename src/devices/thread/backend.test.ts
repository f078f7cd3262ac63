/** The link to a device's thread, with threads of plain JavaScript in the device's place; the real one: test/end-to-end. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterAll, describe, expect, it } from "vitest";
import { DeviceError, HearthError, LimitError, OptionError } from "../../core/errors.ts";
import { createStep, type Program } from "../../ops/program.ts";
import { openThread } from "./backend.ts";
import type { DeviceSpec } from "./device.ts";
import { fromPlainError, toPlainError } from "./protocol.ts";
import { createSharedStep, viewSharedStep } from "./shared-step.ts";

const folder = mkdtempSync(join(tmpdir(), "hearth-worker-"));
afterAll(() => rmSync(folder, { recursive: true }));
const spec: DeviceSpec = { kind: "gpu", adapter: 0 };
const slot = { id: 0, name: "out", width: 2, rows: "step" } as const;
const program: Program = {
  slots: [slot],
  kv: { layers: [], contextLength: 1, sequences: 1, type: "f32" },
  segments: [{ name: "only", ops: [], outputs: [slot] }],
  maxRows: 4,
  maxOutputs: 4,
};
const memory = { mappedWeights: 0, copiedWeights: 0, kvCache: 0, scratch: 0 };
const facts = { memory, counts: "blocks", canReplaceNeurons: false };

/** A thread that opens and compiles, and does `onRun` when it shall run. */
function startThread(name: string, onRun: string): Worker {
  const file = join(folder, `${name}.mjs`);
  writeFileSync(
    file,
    `import { parentPort } from "node:worker_threads";
let shared;
const answer = (message) => parentPort.postMessage(message);
parentPort.on("message", (request) => {
  const { id, kind } = request;
  if (kind === "open") answer({ kind: "opened", id, description: "fake" });
  else if (kind === "compile") {
    shared = request.shared;
    answer({ kind: "compiled", id, facts: ${JSON.stringify(facts)} });
  } else if (kind === "close") process.exit(0);
  else if (kind === "run") { ${onRun} }
});`,
  );
  return new Worker(file);
}

const doubleTokens = `
  const words = new Int32Array(shared.steps[request.step]);
  const rows = words[0];
  const out = new Float32Array(shared.outputs.get(0));
  for (let row = 0; row < rows; row++) out[row * 2] = 2 * words[6 + 2 * 4 + row];
  answer({ kind: "ran", id, ffn: [], channels: [] });`;

describe("a device in a thread", () => {
  it("gets its rows and gives its outputs through shared memory", async () => {
    using backend = await openThread(spec, startThread("double", doubleTokens));
    expect(backend.description).toBe("fake");
    const executable = await backend.compile(program);
    const step = createStep(4, 4);
    step.rowCount = 3;
    step.token.set([5, 6, 7]);
    await executable.run(0, step);
    expect([...executable.output(slot)]).toEqual([10, 0, 12, 0, 14, 0]);
  });

  it("takes more steps at once than it has places for, with the rows each had", async () => {
    using backend = await openThread(spec, startThread("many", doubleTokens));
    const executable = await backend.compile(program);
    const step = createStep(4, 4);
    step.rowCount = 1;
    const seen: Promise<number | undefined>[] = [];
    for (let i = 0; i < 12; i++) {
      step.token[0] = i;
      seen.push(executable.run(0, step).then(() => executable.output(slot)[0]));
    }
    await Promise.all(seen);
    expect(executable.output(slot)[0]).toBe(22);
  });

  it.each([
    ["ends", "process.exit(3);", /thread ended with code 3/],
    ["throws", 'throw new Error("driver gone");', /thread ended: driver gone/],
  ])(
    "that %s in the middle is one DeviceError for every step on the way and after",
    async (name, code, message) => {
      using backend = await openThread(spec, startThread(name, code));
      const executable = await backend.compile(program);
      const step = createStep(4, 4);
      const runs = [executable.run(0, step), executable.run(0, step)];
      const results = await Promise.allSettled(runs);
      for (const result of results) {
        expect(result.status).toBe("rejected");
        const { reason } = result as PromiseRejectedResult;
        expect(reason).toBeInstanceOf(DeviceError);
        expect(reason.message).toMatch(message);
      }
      await expect(executable.run(0, step)).rejects.toThrow(message);
    },
  );

  it("refuses work after it was closed", async () => {
    const backend = await openThread(spec, startThread("closed", doubleTokens));
    const executable = await backend.compile(program);
    backend[Symbol.dispose]();
    await expect(executable.run(0, createStep(4, 4))).rejects.toThrow("it was closed");
  });
});

describe("an error between threads", () => {
  it("keeps its class, message and fields", () => {
    const sent = new OptionError("gpu", "voodoo", "one of 0 (geforce)");
    const received = fromPlainError(structuredClone(toPlainError(sent)));
    expect(received).toBeInstanceOf(OptionError);
    expect(received).toBeInstanceOf(HearthError);
    expect([received.message, received.name]).toEqual([sent.message, "OptionError"]);
    expect(received).toMatchObject({ option: "gpu" });
    expect(fromPlainError(toPlainError(new LimitError("full")))).toBeInstanceOf(LimitError);
    expect(fromPlainError(toPlainError(new RangeError("odd")))).toBeInstanceOf(Error);
    expect(fromPlainError(toPlainError("text")).message).toBe("text");
  });
});

describe("a shared step", () => {
  it("carries counts and rows to the other view of the same memory", () => {
    const shared = createSharedStep({ maxRows: 3, maxOutputs: 2 });
    const [here, there] = [0, 1].map(() => viewSharedStep(shared, { maxRows: 3, maxOutputs: 2 }));
    const step = createStep(3, 2);
    step.rowCount = 3;
    step.answerRows = 1;
    step.proposalRows = 1;
    step.outputCount = 1;
    step.sequence.set([0, 0, 1]);
    step.position.set([4, 5, 0]);
    step.token.set([7, 8, 9]);
    step.outputRow[0] = 2;
    here!.store(step);
    there!.load();
    expect(there!.step).toEqual(step);
  });
});
