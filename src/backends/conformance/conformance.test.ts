/**
 * The suite on the reference itself: the cases fit the oracle, their bounds mean something, and broken backends fail. Of the cases a
 * sample, unless HEARTH_CONFORMANCE says most or all.
 */
import { describe, expect, it, vi } from "vitest";
import { weightFormat } from "../../core/dtype.ts";
import type { Op, Slot, Weight } from "../../ops/op.ts";
import type { Program } from "../../ops/program.ts";
import type { Backend } from "../backend.ts";
import { runConformance } from "../conformance.ts";
import { ForwardingExecutable } from "../forwarding-executable.ts";
import { createReferenceBackend } from "../reference/reference-backend.ts";
import { accumulation, floatArithmetic, integerArithmetic } from "../tolerance.ts";
import { conformanceCases, conformanceSample, expectationOf } from "./all-cases.ts";
import type { Bounded } from "./bound-state.ts";
import type { ConformanceCase } from "./case.ts";
import { programByChannels } from "./channels.ts";
import { type CaseResult, checkCase } from "./check-case.ts";

/** One test takes every case in double precision. */
vi.setConfig({ testTimeout: 300_000 });

const isMost = /^(all|most)$/.test(process.env["HEARTH_CONFORMANCE"] ?? "");
const cases = isMost ? conformanceCases() : conformanceSample();

describe("the reference", () => {
  runConformance(createReferenceBackend, { arithmetic: floatArithmetic, cases });
});

/** A reference whose program is changed before it is compiled: a backend that computes something else. */
function withProgram(change: (program: Program) => Program): Backend {
  const reference = createReferenceBackend();
  return {
    ...reference,
    compile: (program, options) => reference.compile(change(program), options),
  };
}

function withOps(change: (op: Op) => Op): Backend {
  return withProgram((program) => ({
    ...program,
    segments: program.segments.map((segment) => ({ ...segment, ops: segment.ops.map(change) })),
  }));
}

/** A reference whose outputs are changed on their way out. */
function withOutputs(change: (output: Float32Array) => void): Backend {
  const reference = createReferenceBackend();
  return {
    ...reference,
    compile: async (program, options) => {
      class Changed extends ForwardingExecutable {
        override output(slot: Slot): Float32Array {
          const data = super.output(slot).slice();
          change(data);
          return data;
        }
      }
      return new Changed(await reference.compile(program, options));
    },
  };
}

async function check(backend: Backend, candidate: ConformanceCase): Promise<CaseResult> {
  const script = candidate.build();
  return checkCase(backend, script, await expectationOf(script, floatArithmetic));
}

function caseOf(isWanted: (candidate: ConformanceCase) => boolean): ConformanceCase {
  const found = conformanceCases().find(isWanted);
  if (found === undefined) throw new Error("no such case");
  return found;
}

/** With a smooth activation, so that inactive neurons have an h that is not 0. */
function ffnCaseOf(method: string): ConformanceCase {
  return caseOf(
    ({ name, traits }) => traits.method === method && (method === "gate" || name.includes("silu")),
  );
}

/** An F32 weight in memory, times a factor. */
function scaled(weight: Weight, factor: number): Weight {
  if (weight.bytes.kind !== "memory") throw new Error("not in memory");
  const values = new Float32Array(weight.bytes.data.slice().buffer);
  const data = new Uint8Array(values.map((value) => value * factor).buffer);
  return { ...weight, bytes: { kind: "memory", data } };
}

describe("the suite fails on a backend that", () => {
  it("is off by ten bounds in one element", async () => {
    const candidate = caseOf(({ traits }) => traits.op === "matmul" && traits.weightType === "F16");
    const script = candidate.build();
    const expected = await expectationOf(script, floatArithmetic);
    let isFirst = true;
    const backend = withOutputs((data) => {
      if (isFirst) data[0]! += 10 * expected.outputs[0]!.errors[0]!;
      isFirst = false;
    });
    const { problems } = await checkCase(backend, script, expected);
    expect(problems).toHaveLength(1);
  });

  it("gives NaN in one element", async () => {
    const candidate = caseOf(({ traits }) => traits.op === "norm");
    const { problems } = await check(
      withOutputs((data) => data.fill(Number.NaN, 3, 4)),
      candidate,
    );
    expect(problems.length).toBeGreaterThan(0);
  });

  it("gives outputs of another length", async () => {
    const reference = createReferenceBackend();
    class Shorter extends ForwardingExecutable {
      override output(slot: Slot): Float32Array {
        return super.output(slot).subarray(1);
      }
    }
    const backend: Backend = {
      ...reference,
      compile: async (program, options) => new Shorter(await reference.compile(program, options)),
    };
    const { problems } = await check(
      backend,
      caseOf(({ traits }) => traits.op === "argmax"),
    );
    expect(problems.length).toBeGreaterThan(0);
  });

  it("scales attention wrongly by one part in a thousand", async () => {
    const backend = withOps((op) =>
      op.kind === "attention" ? { ...op, scale: op.scale * 1.001 } : op,
    );
    const { problems } = await check(
      backend,
      caseOf(({ traits }) => traits.kvType === "f16"),
    );
    expect(problems.length).toBeGreaterThan(0);
  });

  it.each([
    ["a window of one position less", "in rings", { window: 39 }],
    ["no soft cap", "with capped scores", { softCap: undefined }],
    ["no sinks", "with capped scores", { sinks: undefined }],
  ])("has %s", async (_, name, change) => {
    const backend = withOps((op) => {
      const has = (key: string): boolean => key in op;
      // The window of 40, not that of 1.
      const isMeant = op.kind === "attention" && Object.keys(change).every(has);
      return isMeant && op.window !== 1 ? { ...op, ...(change as object) } : op;
    });
    const { problems } = await check(
      backend,
      caseOf((candidate) => candidate.name.includes(name)),
    );
    expect(problems.length).toBeGreaterThan(0);
  });

  it("keeps its KV cache in another type", async () => {
    const backend = withProgram((program) => ({ ...program, kv: { ...program.kv, type: "f16" } }));
    const { problems } = await check(
      backend,
      caseOf(({ traits }) => traits.kvType === "f32"),
    );
    expect(problems.length).toBeGreaterThan(0);
  });

  it("lets states decay faster by one part in a thousand", async () => {
    const backend = withOps((op) =>
      op.kind === "delta-rule" ? { ...op, rate: scaled(op.rate, 1.001) } : op,
    );
    const { problems } = await check(
      backend,
      caseOf(({ traits }) => traits.op === "delta-rule"),
    );
    expect(problems.length).toBeGreaterThan(0);
  });

  it("pairs the elements of a head wrongly", async () => {
    const backend = withOps((op) => (op.kind === "rope" ? { ...op, pairing: "halves" } : op));
    const { problems } = await check(
      backend,
      caseOf(({ traits }) => traits.op === "rope"),
    );
    expect(problems.length).toBeGreaterThan(0);
  });

  it.each(["gate", "mlp", "sign", "threshold-gate", "threshold-output"])(
    "leaves out one neuron of a block with method %s",
    async (method) => {
      const backend = withOps((op) => {
        if (op.kind !== "ffn") return op;
        const { neurons, subset } = op.block;
        const ids = subset ?? Uint32Array.from({ length: neurons }, (_, id) => id);
        return { ...op, block: { ...op.block, subset: ids.subarray(1) } };
      });
      const { problems } = await check(backend, ffnCaseOf(method));
      expect(problems.length).toBeGreaterThan(0);
    },
  );

  it.each(["mlp", "sign", "threshold-gate", "threshold-output"])(
    "computes every neuron where method %s must not",
    async (method) => {
      const backend = withOps((op) =>
        op.kind === "ffn" ? { ...op, block: { ...op.block, method: { kind: "dense" } } } : op,
      );
      const { problems } = await check(backend, ffnCaseOf(method));
      expect(problems.length).toBeGreaterThan(0);
    },
  );

  it.each(["keeps what a mask drops", "leaves out the norms of a mask", "judges in more than f32"])(
    "%s",
    async (fault) => {
      const backend = withOps((op) => {
        if (op.kind !== "mask") return op;
        if (fault === "keeps what a mask drops") return { ...op, value: op.value / 2 };
        const { norms, ...plain } = op;
        if (fault === "leaves out the norms of a mask") return plain;
        // A double product of the norm and the element may lie above the threshold where its f32 lies below.
        return norms === undefined
          ? op
          : { ...op, norms: norms.map((norm) => norm * (1 - 2 ** -24)) };
      });
      const { problems } = await check(
        backend,
        caseOf(({ traits }) => traits.op === "mask"),
      );
      expect(problems.length).toBeGreaterThan(0);
    },
  );

  it.each(["chooses other experts where logits are equal", "weighs one expert too much"])(
    "%s",
    async (fault) => {
      const isMeant = ({ name, traits }: ConformanceCase): boolean =>
        traits.op === "route" && (fault.startsWith("weighs") || name.includes("equal"));
      const backend = withOutputs((routes) => {
        const used = routes.length === 2 ? 1 : 2;
        if (fault.startsWith("weighs")) routes[used]! *= 1.001;
        else routes[0]! += 1;
      });
      const { problems } = await check(backend, caseOf(isMeant));
      expect(problems.length).toBeGreaterThan(0);
    },
  );

  it.each(["down", "up"] as const)("takes the %s of another expert", async (matrix) => {
    const backend = withOps((op) => {
      if (op.kind !== "experts") return op;
      const { stack } = op;
      const other = { ...stack[matrix], first: stack[matrix].stride };
      return { ...op, stack: { ...stack, count: stack.count - 1, [matrix]: other } };
    });
    const { problems } = await check(
      backend,
      caseOf(({ traits }) => traits.op === "experts"),
    );
    expect(problems.length).toBeGreaterThan(0);
  });

  it.each(["matmul", "ffn"])("skips an input channel of a %s that is not zero", async (kind) => {
    const backend = withOps((op) => {
      if (op.kind !== "mask") return op;
      const norms = op.norms ?? new Float32Array(op.x.width).fill(1);
      return { ...op, norms: norms.map((norm, i) => (i === 0 ? 0 : norm)) };
    });
    const { problems } = await check(
      backend,
      caseOf(({ traits }) => traits.op === kind && traits.hasChannels === true),
    );
    expect(problems.length).toBeGreaterThan(0);
  });

  it("does not quantise its input although it declares so", async () => {
    const script = caseOf(({ traits }) => traits.weightType === "Q8_0").build();
    const expected = await expectationOf(script, integerArithmetic);
    const { problems } = await checkCase(createReferenceBackend(), script, expected);
    expect(problems.length).toBeGreaterThan(0);
  });
});

/** The program as a backend computes it that reads every copy, of whose bytes `change` makes others. */
function byChannels(program: Program, change: (bytes: Uint8Array) => Uint8Array): Program {
  const changed = (copy: Weight): Weight =>
    copy.bytes.kind === "memory"
      ? { ...copy, bytes: { kind: "memory", data: change(copy.bytes.data) } }
      : copy;
  const ops = (op: Op): Op => {
    if (op.kind === "matmul" && op.channels) return { ...op, channels: changed(op.channels) };
    if (op.kind !== "ffn" || op.block.channels === undefined) return op;
    const { gate, up } = op.block.channels;
    const channels = { up: changed(up), ...(gate && { gate: changed(gate) }) };
    return { ...op, block: { ...op.block, channels } };
  };
  const segments = program.segments.map((segment) => ({ ...segment, ops: segment.ops.map(ops) }));
  return programByChannels({ ...program, segments }) ?? program;
}

describe("cases with channel-major copies", () => {
  const withCopies = conformanceCases().filter(({ traits }) => traits.hasChannels);

  it("pass on a backend that reads the copies in place of the rows", async () => {
    for (const candidate of withCopies) {
      const backend = withProgram((program) => byChannels(program, (bytes) => bytes));
      expect((await check(backend, candidate)).problems, candidate.name).toEqual([]);
    }
  });

  it("fail on one that reads them wrongly", async () => {
    for (const candidate of withCopies) {
      const backend = withProgram((program) => byChannels(program, (bytes) => bytes.toReversed()));
      expect((await check(backend, candidate)).problems, candidate.name).not.toEqual([]);
    }
  });
});

describe("the bounds", () => {
  // One neuron of 256, the most in a case, moves an output by about 1/√256 = 6 % of its size: it must stand out.
  it("are below 2 % of the signal for half of the elements of each case, and no neuron is uncertain", async () => {
    for (const candidate of cases) {
      const { weightType, terms = 0 } = candidate.traits;
      // A sum of n terms of either sign is about √n of them, and n roundings are allowed of n.
      const mostShare = Math.max(0.02, accumulation(terms) * Math.sqrt(terms));
      const isQuantised = weightType !== undefined && weightFormat(weightType).codes !== "float";
      for (const arithmetic of isQuantised
        ? [floatArithmetic, integerArithmetic]
        : [floatArithmetic]) {
        const { outputs, uncertainNeurons } = await expectationOf(candidate.build(), arithmetic);
        const byChannels = outputs.flatMap((output) => output.byChannels ?? []);
        expect(medianShare(outputs), candidate.name).toBeLessThan(mostShare);
        if (byChannels.length > 0) {
          expect(medianShare(byChannels), candidate.name).toBeLessThan(0.02);
        }
        expect(uncertainNeurons, candidate.name).toBe(0);
      }
    }
  });
});

/** Of bounds, as shares of the root mean square of their output. A NaN that an op has kept says nothing. */
function medianShare(outputs: readonly Bounded[]): number {
  const shares = outputs.map(({ values, errors }) => {
    const squares = values.reduce((sum, value) => sum + (value * value || 0), 0);
    const size = Math.sqrt(squares / Math.max(1, values.length));
    return size === 0 ? errors.slice(0, 0) : errors.map((error) => error / size);
  });
  const sorted = Float64Array.from(shares.flatMap((part) => [...part])).sort();
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
