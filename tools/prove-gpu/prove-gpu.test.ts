/** The proof itself: what must make it fail does, and its files are whole at every moment. Sections here need no card. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Backend } from "../../src/backends/backend.ts";
import { conformanceCases } from "../../src/backends/conformance/all-cases.ts";
import { ForwardingExecutable } from "../../src/backends/forwarding-executable.ts";
import { createReferenceBackend } from "../../src/backends/reference/reference-backend.ts";
import { UnsupportedError } from "../../src/core/errors.ts";
import { Engine } from "../../src/engine/engine.ts";
import type { Slot } from "../../src/ops/op.ts";
import { makeTinyModel } from "../../test/fixtures/tiny-model.ts";
import { certainTokens, greedyTokens, tokenProblem } from "./greedy-tokens.ts";
import { parseOptions } from "./options.ts";
import { prove } from "./prove.ts";
import type { Check, Fact, ProofResult } from "./result.ts";
import { provenAdapter } from "./run-section.ts";
import { reportTo, type Section } from "./section.ts";
import { proveConformance } from "./section-conformance.ts";
import { proveGrid } from "./section-grids.ts";
import { sections as allSections } from "./sections.ts";
import { worstKernel, worstPrediction } from "./summary.ts";

const folder = mkdtempSync(join(tmpdir(), "hearth-prove-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Facts of a section by its name, as its process would send them; "hang" and "crash" end it. */
const script = `
const { name, gpu } = JSON.parse(process.argv[3]);
const send = (message) => new Promise((resolve) => process.send(message, resolve));
const check = (holds) => send({ kind: "check", check: { name: "c", holds, detail: "found" } });
if (name === "adapter") await send({ kind: "adapter", adapter: { name: "card", kind: "discrete", backend: "vulkan" } });
if (gpu === "none") await send({ kind: "fault", text: "no card: install one" });
if (name === "hang") { await check(true); setInterval(() => {}, 1000); await new Promise(() => {}); }
if (name === "crash") { await check(true); console.error("the driver's last words"); process.kill(process.pid, "SIGSEGV"); await new Promise(() => {}); }
if (name === "silent") { await check(true); process.exit(0); }
if (name === "badly") { await check(true); process.send("done", () => process.exit(3)); await new Promise(() => {}); }
if (name !== "nothing") await check(name !== "wrong");
await send({ kind: "measure", measure: { name: "copy, read and written", unit: "GB/s", value: 100 } });
process.send("done", () => process.exit(0));
`;
const module = join(folder, "section.mjs");
writeFileSync(module, script);

function fake(name: string, seconds = 20): Section {
  return { name, title: name, deadline: { full: seconds, short: seconds }, run: async () => {} };
}

async function proofOf(
  sections: readonly Section[],
  { gpu = "auto", stopAt = "never" } = {},
): Promise<ProofResult> {
  const out = join(folder, "out");
  const seen: ProofResult[] = [];
  const stop = new AbortController();
  const result = await prove({
    options: parseOptions(["--out", out, "--work", join(folder, "work"), "--gpu", gpu]),
    sections,
    module,
    commit: "abc",
    // The file is read back whenever something is said.
    onProgress: (text) => {
      seen.push(JSON.parse(readFileSync(join(out, "proof.json"), "utf8")));
      if (text.startsWith(stopAt)) stop.abort("SIGTERM came");
    },
    signal: stop.signal,
  });
  expect(seen.length).toBeGreaterThan(1);
  expect(JSON.parse(readFileSync(join(out, "proof.json"), "utf8"))).toEqual(result);
  expect(readFileSync(join(out, "proof.md"), "utf8")).toContain(`: ${result.state}`);
  return result;
}

describe("a proof", () => {
  it("passes when each section passes", async () => {
    const result = await proofOf([fake("adapter"), fake("right")]);
    expect(result).toMatchObject({ state: "passed", adapter: { name: "card" }, commit: "abc" });
    expect(result.sections.map(({ state }) => state)).toEqual(["passed", "passed"]);
  });

  it.each([
    ["a check that does not hold", "wrong", []],
    ["a section that examines nothing", "nothing", ["nothing was examined"]],
    ["a crash", "crash", ["its process ended by signal SIGSEGV: the driver's last words"]],
    ["a section that ends early", "silent", ["its process ended before the section did"]],
    ["a process that ends badly after all was said", "badly", ["its process ended by exit code 3"]],
    ["a deadline", "hang", ["ended at its deadline of 1 s"]],
  ])("fails by %s, and goes on", async (_, name, faults) => {
    const result = await proofOf([
      fake("adapter"),
      fake(name, name === "hang" ? 1 : 20),
      fake("right"),
    ]);
    expect(result.state).toBe("failed");
    expect(result.sections.map(({ state }) => state)).toEqual(["passed", "failed", "passed"]);
    expect(result.sections[1]?.faults).toEqual(faults);
  });

  it("ends at once where there is no card, and when it is stopped", async () => {
    const noCard = await proofOf([fake("adapter"), fake("right")], { gpu: "none" });
    expect(noCard.sections.map(({ faults }) => faults[0])).toEqual([
      "no card: install one",
      "not begun: no card: install one",
    ]);
    const sections = [fake("adapter"), fake("hang"), fake("right")];
    const stopped = await proofOf(sections, { stopAt: "hang …" });
    expect(stopped.sections.flatMap(({ faults }) => faults)).toEqual([
      "ended: SIGTERM came",
      "not begun: SIGTERM came",
    ]);
    expect(stopped.state).toBe("failed");
  });

  it("takes no software adapter for a card, and says what to do without one", () => {
    const one = {
      index: 0,
      name: "SwiftShader",
      vendor: "google",
      backend: "vulkan",
      features: [],
      cards: 1,
      found: { kind: "its name" },
    };
    const software = { ...one, kind: "software", maxBufferBytes: 1, maxBindingBytes: 1 } as const;
    const full = { mode: "full", gpu: "auto" } as const;
    expect(() => provenAdapter([], full)).toThrow("install the card's Vulkan driver");
    expect(() => provenAdapter([software], full)).toThrow("take --short");
    expect(provenAdapter([software], { ...full, mode: "short" })).toBe(software);
    expect(provenAdapter([software], { ...full, gpu: "0" })).toBe(software);
  });

  it("has sections of different names, the adapter first", () => {
    const names = allSections.map(({ name }) => name);
    expect(names[0]).toBe("adapter");
    expect(new Set(names).size).toBe(names.length);
    expect(names.length).toBeGreaterThanOrEqual(12);
  });
});

function checksOf(
  run: (report: ReturnType<typeof reportTo>) => Promise<void>,
): Promise<readonly Check[]> {
  const facts: Fact[] = [];
  return run(reportTo((fact) => facts.push(fact))).then(() =>
    facts.flatMap((fact) => (fact.kind === "check" ? fact.check : [])),
  );
}

/** The reference, whose outputs or refusals are planted. */
function backendWith(changes: { readonly first?: number; readonly refusal?: string }): Backend {
  const reference = createReferenceBackend();
  return {
    ...reference,
    compile: async (program, options) => {
      if (changes.refusal !== undefined) throw new UnsupportedError(changes.refusal, []);
      class Changed extends ForwardingExecutable {
        override output(slot: Slot): Float32Array {
          const data = super.output(slot).slice();
          data[0] = changes.first ?? data[0]!;
          return data;
        }
      }
      return new Changed(await reference.compile(program, options));
    },
  };
}

describe("what is proven of a card fails by", () => {
  const cases = conformanceCases().filter(({ traits }) => traits.op === "norm");
  const conformance = (
    backend: Backend,
    gaps: Parameters<typeof proveConformance>[1]["gaps"] = [],
    some = cases,
  ) => checksOf((report) => proveConformance(backend, { cases: some, gaps }, report));

  it("a wrong value, a skipped case, a gap that is none, no case at all; and by nothing else", async () => {
    const holds = (checks: readonly Check[]): boolean => checks.every((check) => check.holds);
    expect(holds(await conformance(createReferenceBackend()))).toBe(true);
    const wrong = await conformance(backendWith({ first: 1e9 }));
    expect(wrong.find(({ name }) => name === "norm")).toMatchObject({ holds: false });
    const skipped = await conformance(backendWith({ refusal: "no norm here" }));
    expect(skipped[0]).toMatchObject({ holds: false });
    expect(skipped[0]?.detail).toContain("no norm here");
    const gap = { reason: "norms are lacking", cases: () => true };
    expect(holds(await conformance(backendWith({ refusal: "no norm here" }), [gap]))).toBe(true);
    expect(holds(await conformance(createReferenceBackend(), [gap]))).toBe(false);
    expect(holds(await conformance(createReferenceBackend(), [], []))).toBe(false);
  });

  it("a logit that is not stored", async () => {
    const grid = { vocabulary: 96, columns: 32, rowCounts: [1, 2] };
    const of = (backend: Backend) => checksOf((report) => proveGrid(backend, grid, report));
    expect((await of(createReferenceBackend())).map(({ holds }) => holds)).toEqual([true, true]);
    expect((await of(backendWith({ first: 0 }))).map(({ holds }) => holds)).toEqual([false, false]);
  });

  it("a planted wrong token", async () => {
    using model = await makeTinyModel();
    using engine = await Engine.open(model.path, { device: "reference" });
    const asked = { prompt: [5, 17, 2], tokens: 6 };
    const certain = await certainTokens(engine, asked);
    const found = await greedyTokens(engine, asked);
    expect(tokenProblem(certain, found)).toBeUndefined();
    const planted = certain.map((token, i) => (i === 2 ? token + 1 : token));
    expect(tokenProblem(planted, found)).toBe(`token 2 is ${found[2]}, not ${planted[2]}`);
    expect(tokenProblem(certain, found.slice(0, 1))).toContain("undefined");
    expect(tokenProblem([], found)).toBe("no token was certain");
  });
});

describe("the summary", () => {
  it("names the kernel furthest below what is wanted, and the prediction furthest off on either side", () => {
    const measures = [
      { name: "copy, read and written", unit: "GB/s", value: 100 },
      { name: "F16", unit: "GB/s", value: 80, against: { kind: "copy", target: 0.85 } },
      { name: "lists", unit: "GB/s", value: 40, against: { kind: "copy", target: 0.3 } },
      { name: "gpu", unit: "tokens/s", value: 30, against: { kind: "prediction", value: 10 } },
      { name: "cpu", unit: "tokens/s", value: 6, against: { kind: "prediction", value: 10 } },
    ] as const;
    const section = {
      name: "a",
      title: "a",
      state: "passed",
      seconds: 1,
      faults: [],
      checks: [],
      notes: [],
    } as const;
    const result = {
      sections: [{ ...section, faults: [], checks: [], notes: [], measures: [...measures] }],
    };
    expect(worstKernel(result)).toMatchObject({ measure: { name: "F16" }, share: 0.8 });
    expect(worstPrediction(result)?.name).toBe("gpu");
    expect(worstKernel({ sections: [] })).toBeUndefined();
  });
});
