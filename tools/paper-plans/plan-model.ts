/** A plan of a model of the paper: from a file with its header alone, and a profile that is made of the paper's numbers. */
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tensorType } from "../../src/core/dtype.ts";
import type { Bytes, Tokens } from "../../src/core/units.ts";
import { transposedShape } from "../../src/derived-weights/transpose.ts";
import { openSetup } from "../../src/engine/model-setup.ts";
import type { EngineOptions } from "../../src/engine/options.ts";
import { planModel } from "../../src/engine/planner.ts";
import { resolveSparsity, type SparseSetup } from "../../src/engine/resolve-sparsity.ts";
import { encodeHeader, type TensorPlace } from "../../src/gguf/encode.ts";
import type { HardwareProfile } from "../../src/placement/hardware.ts";
import type { Plan } from "../../src/placement/plan.ts";
import { modelMetadata } from "../make-model/metadata.ts";
import { type MakeModelOptions, parseOptions } from "../make-model/options.ts";
import { modelTensors } from "../make-model/tensors.ts";
import { firingRates, type PaperModel } from "./models.ts";

/** The paper's longest prompt and its longest answer (8.1). */
export const contextLength: Tokens = 128 + 512;
const alignment = 32;
const profiledTokens = 1_000_000;

interface PlanOf {
  readonly model: PaperModel;
  readonly type: "f16" | "q4_0";
  readonly rank: number;
  readonly hardware: HardwareProfile;
  readonly budgetBytes: Bytes;
  /** Beside the sparsity. Default: the context alone. */
  readonly options?: Pick<EngineOptions, "contextLength" | "batchSize" | "promptStream">;
}

export async function planPaperModel(of: PlanOf): Promise<Plan> {
  const folder = mkdtempSync(join(tmpdir(), "hearth-paper-"));
  try {
    const path = join(folder, "model.gguf");
    writeHeader(makeOptions(path, of));
    const options = { contextLength, ...of.options, sparsity: "mlp" } as const;
    const setup = await openSetup(path, options, "per sequence");
    const sparsity = await resolveSparsity(setup, async (weight, type) =>
      transposedShape(weight, type),
    );
    const counts = firingRates(of.model).map((rate) => rate * profiledTokens);
    const layers = setup.model.layers.map(() => counts);
    const profile = {
      rule: { kind: "nonzero" },
      tokens: profiledTokens,
      counts: layers,
      corpora: [],
    } as const;
    const nothing = { path: "", downRows: [], channels: [], predictors: [], signs: [] };
    const ready: SparseSetup = { ...setup, sparsity, sidecar: { ...nothing, profile } };
    return await planModel(ready, {
      hardware: of.hardware,
      budgetBytes: of.budgetBytes,
      limits: { maxBinding: Number.MAX_SAFE_INTEGER, maxBuffer: Number.MAX_SAFE_INTEGER },
      solver: "exact",
      furtherGibibytes: 0,
      curvePoints: 0,
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function makeOptions(path: string, { model, type, rank }: PlanOf): MakeModelOptions {
  const { architecture, layers, dim, ffn, heads, kvHeads, vocabulary } = model;
  const numbers = {
    layers,
    dim,
    ffn,
    heads,
    "kv-heads": kvHeads,
    vocab: vocabulary,
    context: 2048,
  };
  return parseOptions([
    path,
    ...["--arch", architecture, "--type", type, "--powerinfer", "--predictor-rank", String(rank)],
    ...Object.entries(numbers).flatMap(([name, value]) => [`--${name}`, String(value)]),
  ]);
}

/** All of a file but its weights, for which there is a hole. */
function writeHeader(options: MakeModelOptions): void {
  let end = 0;
  const tensors = modelTensors(options).map(({ name, type, dimensions }): TensorPlace => {
    const offset = end;
    const { id, blockElements, blockBytes } = tensorType(type);
    const elements = dimensions.reduce((product, length) => product * length, 1);
    end = Math.ceil((offset + (elements / blockElements) * blockBytes) / alignment) * alignment;
    return { name, typeId: id, dimensions, offset };
  });
  const header = encodeHeader({ magic: "PWRI", metadata: modelMetadata(options), tensors });
  const file = openSync(options.out, "w");
  try {
    writeSync(file, header);
    ftruncateSync(file, Math.ceil(header.length / alignment) * alignment + end);
  } finally {
    closeSync(file);
  }
}
