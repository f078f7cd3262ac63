/**
 * A model that was opened once, with the options it is to be run with, resolved once. It is passed whole to everything
 * that opening a model takes: device, sparsity, plan and program.
 */

import { setImmediate as nextTurn } from "node:timers/promises";
import { checkValue, pathRule } from "../core/check-options.ts";
import { defined } from "../core/defined.ts";
import { sampledRanges } from "../gguf/fingerprint.ts";
import { type GgufFile, openGgufWithPauses } from "../gguf/open.ts";
import { readAhead } from "../io/read-ahead.ts";
import { type Model, openModel } from "../model/model.ts";
import type { Sidecar } from "../sparsity/sidecar/sidecar.ts";
import { sidecarOf } from "./model-sidecar.ts";
import type { EngineOptions } from "./options.ts";
import { readPlan } from "./plan-file.ts";
import { type ResolvedEngineOptions, resolveEngineOptions } from "./resolve-options.ts";

export interface ModelSetup {
  readonly model: Model;
  readonly options: ResolvedEngineOptions;
  /** The most rows of a step that may want an output. */
  readonly maxOutputs: number;
  /** What is known about the model. Undefined where there is no sidecar, and where a dense model needs none. */
  readonly sidecar: Sidecar | undefined;
  /** Nobody said how long steps are to be, so that a plan whose prompts stream may take longer ones. Default false. */
  readonly isBatchOpen?: boolean;
}

/** Outputs of a step: one for each answer, or one for each row where every row's logits are wanted. */
export type OutputsWanted = "per sequence" | "per row";

/** The largest known headers, of vocabularies of 256 000 tokens with merges, take some 12 MiB. */
const headerReadAhead = 16 << 20;

/**
 * Opens the model; loads no matrix and asks nothing of this machine. The public function that got `options` from its caller has checked them, once.
 * `sidecar` stands in for the one on disk.
 * @throws FileFormatError, UnsupportedError or OptionError, each saying what to do.
 */
export async function openSetup(
  path: string,
  options: EngineOptions,
  outputs: OutputsWanted,
  sidecar?: Sidecar,
): Promise<ModelSetup> {
  checkValue(path, "path", pathRule);
  options.signal?.throwIfAborted();
  await readAhead(path, [{ begin: 0, end: headerReadAhead }]);
  // Each of these takes milliseconds for a large vocabulary: the host's event loop turns between them.
  const gguf = await openGgufWithPauses(path);
  await nextTurn();
  const model = openModel(gguf);
  await readAheadOfLoading(gguf);
  const asked = withPlan(options);
  const resolved = resolveEngineOptions(asked, model);
  const maxOutputs = outputs === "per row" ? resolved.batchSize : resolved.sequences;
  const isBatchOpen = asked.batchSize === undefined && outputs === "per sequence" && isAuto(asked);
  const setup = { model, options: resolved, maxOutputs, sidecar, isBatchOpen };
  // Of a dense model none is looked for, so one of another model does no harm.
  const isNeeded = resolved.sparsity !== "dense" || resolved.sidecar !== undefined;
  return isNeeded ? withSidecar(setup) : setup;
}

/** The setup with all that is known about the model, whatever its sparsity: the planner reads the profile. */
export function withSidecar(setup: ModelSetup): ModelSetup {
  const { model, options } = setup;
  return { ...setup, sidecar: setup.sidecar ?? sidecarOf(model, options.sidecar) };
}

/** A plan that is named decides about prompts, if at all, by itself. */
function isAuto({ plan, promptStream = "auto" }: EngineOptions): boolean {
  return plan === undefined && promptStream === "auto";
}

/** A plan that is named brings its budget with it, and how long steps are where it decided that. */
function withPlan(options: EngineOptions): EngineOptions {
  if (options.plan === undefined) return options;
  const { inputs, promptBatch: batchSize } = readPlan(options.plan);
  return { ...defined({ batchSize, vramBudget: inputs.budgetBytes }), ...defined(options) };
}

/** What loading reads on the JavaScript thread: norms and biases, which are copied, and the samples of the fingerprint. */
async function readAheadOfLoading({ files, tensors }: GgufFile): Promise<void> {
  for (const file of files) {
    const vectors = [...tensors.values()]
      .filter(({ path, dimensions }) => path === file.path && dimensions.length === 1)
      .map(({ offset, bytes }) => ({ begin: offset, end: offset + bytes }));
    const ranges = [...vectors, ...sampledRanges(file)];
    await readAhead(
      file.path,
      ranges.sort((a, b) => a.begin - b.begin),
    );
  }
}
