/**
 * The program of every architecture and what native code gets of it, as committed text: whoever changes an op, its
 * lowering or a model description sees in the difference what else changed. `vitest -u` writes the files anew.
 */
import { describe, expect, it } from "vitest";
import { lowerProgram } from "../../src/backends/cpu/lower.ts";
import type { MappedFiles } from "../../src/backends/cpu/mapped-files.ts";
import { methodRecords } from "../../src/backends/cpu/program-records.ts";
import { withoutTopK } from "../../src/backends/cpu/top-k.ts";
import { openGguf } from "../../src/gguf/open.ts";
import { buildProgram, type ProgramOptions } from "../../src/model/build-program.ts";
import type { MethodChoice } from "../../src/model/graph.ts";
import { openModel } from "../../src/model/model.ts";
import { architectureNames, architectureOf } from "../../src/model/registry.ts";
import type { SparsityMethod, Weight } from "../../src/ops/op.ts";
import type { Program } from "../../src/ops/program.ts";
import { makeTinyModel } from "../fixtures/tiny-model.ts";
import { loweredText, programText } from "./program-text.ts";

type MethodKind = Exclude<SparsityMethod["kind"], "given">;

/** The sparse method an architecture is seen with, so that all methods are; others: threshold-output. */
const sparseMethods: Readonly<Record<string, MethodKind>> = {
  llama: "threshold-gate",
  arcee: "gate",
  nemotron: "sign",
  "bitnet-b1.58": "gate",
  qwen3: "threshold-gate",
  opt: "sign",
  bamboo: "mlp",
};

/** Where a model of two layers would not show all that the architecture has. */
const changes: Readonly<Record<string, readonly string[]>> = {
  qwen35: ["--full-attention-interval", "2"],
};

const options: ProgramOptions = {
  contextLength: 64,
  sequences: 2,
  maxRows: 8,
  maxOutputs: 2,
  kvType: "f16",
  output: "choice",
};

function weight(name: string, rows: number, columns: number): Weight {
  const data = new Uint8Array(rows * columns * 4);
  return { name, type: "F32", rows, columns, bytes: { kind: "memory", data } };
}

function methodOf(kind: MethodKind): MethodChoice {
  return (layer, { neurons, dim }, input) => {
    switch (kind) {
      case "dense":
      case "gate":
        return { kind };
      case "mlp": {
        const fc1 = weight(`predictor ${layer} fc1`, 16, dim);
        const fc2 = weight(`predictor ${layer} fc2`, neurons, 16);
        return { kind, input, fc1, fc2, threshold: 0.5 };
      }
      case "sign":
        return { kind, signs: new Uint8Array(neurons * Math.ceil(dim / 64) * 8), margin: 3 };
      case "threshold-gate":
        return { kind, value: 0.25 };
      case "threshold-output":
        return { kind, value: 0.25, downNorms: new Float32Array(neurons) };
      default:
        return kind satisfies never;
    }
  };
}

async function programOf(arch: string, kind: MethodKind): Promise<Program> {
  using file = await makeTinyModel(["--arch", arch, ...(changes[arch] ?? [])]);
  const model = openModel(openGguf(file.path));
  const neurons = model.hyperparameters.neurons[0] ?? 0;
  const { dim } = model.hyperparameters;
  const rows: Partial<ProgramOptions> =
    kind === "dense" ? {} : { downRows: (layer) => weight(`down rows ${layer}`, neurons, dim) };
  return buildProgram(model, { ...options, methodFor: methodOf(kind), ...rows }).program;
}

/** Experts are computed whole. */
function kindsOf(arch: string): readonly MethodKind[] {
  const { mixture } = architectureOf(arch);
  const hasBlocks = mixture === undefined || mixture.isOptional === true;
  return hasBlocks ? ["dense", sparseMethods[arch] ?? "threshold-output"] : ["dense"];
}

/** No file is read: the numbers say where weights lie, not what they are. */
const files: Pick<MappedFiles, "open"> = {
  open: () => ({ handle: {}, bytes: Number.MAX_SAFE_INTEGER }),
};

describe("the program of", () => {
  const cases = architectureNames.flatMap((arch) => kindsOf(arch).map((kind) => ({ arch, kind })));

  it.each(cases)("$arch, $kind, is the committed one", async ({ arch, kind }) => {
    const program = await programOf(arch, kind);
    await expect(programText(program)).toMatchFileSnapshot(`snapshots/${arch}-${kind}.txt`);
  });

  it.each(cases)("$arch, $kind, is lowered to the committed records", async ({ arch, kind }) => {
    const { program } = lowerProgram(withoutTopK(await programOf(arch, kind)).program, files);
    await expect(loweredText(program)).toMatchFileSnapshot(`snapshots/${arch}-${kind}-cpu.txt`);
  });

  it("shows every method of sparsity", () => {
    // A given set is what the partition of a program makes of a predictor.
    const shown = new Set<string>([...cases.map(({ kind }) => kind), "given"]);
    expect(Object.keys(methodRecords).filter((kind) => !shown.has(kind as MethodKind))).toEqual([]);
  });
});
