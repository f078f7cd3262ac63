/** The program that runs a model as it was set up: it writes answers, and shows the rows that embeddings are made of. */
import { buildProgram, type ModelProgram } from "../model/build-program.ts";
import type { Weight } from "../ops/op.ts";
import type { SparseSetup } from "./resolve-sparsity.ts";

export interface ProgramUse {
  /** By layer, down projections as rows. Default: those of `setup.sparsity`. */
  readonly downRows?: (layer: number) => Weight | undefined;
  /** "choice": logits stay on the device, and the largest or the best token can be read alone. */
  readonly output: "logits" | "choice";
}

export function programOf(setup: SparseSetup, use: ProgramUse): ModelProgram {
  const { model, options, maxOutputs, sparsity } = setup;
  const { methodFor, masksFor, downRows = () => undefined } = sparsity;
  return buildProgram(model, {
    contextLength: options.contextLength,
    sequences: options.sequences,
    maxRows: options.batchSize,
    maxOutputs,
    kvType: options.cacheType,
    checkpoints: options.checkpoints ?? "auto",
    output: use.output,
    methodFor,
    downRows: use.downRows ?? downRows,
    ...(masksFor && { masksFor }),
    showsRows: true,
  });
}
