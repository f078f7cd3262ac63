/** `quantizeModel`: a model in another weight type, converted by the processor's threads. */
import { openConverter } from "../backends/cpu/open-converter.ts";
import { threadsRule } from "../backends/machine-rules.ts";
import {
  checkOptions,
  checkValue,
  choiceRule,
  flagRule,
  functionRule,
  type OptionRules,
  pathRule,
  signalRule,
} from "../core/check-options.ts";
import { readImportance } from "../gguf/importance-matrix.ts";
import {
  type QuantizeResult as Quantised,
  type QuantizeProgress,
  quantiseModel,
} from "../gguf/quantize-model.ts";
import { type QuantisedType, quantisedTypes, wantsImportance } from "../gguf/quantize-recipe.ts";

export interface QuantizeOptions {
  /** A model, or any part of a split one. */
  readonly input: string;
  /** Becomes one file, whatever the input was. An existing file is replaced once the new one is complete. */
  readonly output: string;
  readonly type: QuantisedType;
  /** All matrices alike, in place of wider types for what a model suffers most from. Default false. */
  readonly pure?: boolean;
  /** An importance matrix of the model: of `profileImportance`, or of llama-imatrix. */
  readonly imatrix?: string;
  /** Default: one for each physical core. The file is the same for any number. */
  readonly threads?: number;
  readonly onProgress?: (progress: QuantizeProgress) => void;
  /** Ends the work; nothing is left of it. */
  readonly signal?: AbortSignal;
}

export interface QuantizeResult extends Quantised {
  /** What the user should know, one sentence each. */
  readonly notices: readonly string[];
}

const quantizeRules: OptionRules<QuantizeOptions> = {
  input: pathRule,
  output: pathRule,
  type: choiceRule(quantisedTypes),
  pure: flagRule,
  imatrix: pathRule,
  threads: threadsRule,
  onProgress: functionRule,
  signal: signalRule,
};

/** @throws OptionError, UnsupportedError, FileFormatError before anything is written; nothing is left after a failure. */
export async function quantizeModel(options: QuantizeOptions): Promise<QuantizeResult> {
  checkOptions(options, quantizeRules, "quantize");
  checkValue(options.output, "output", pathRule);
  checkValue(options.type, "type", quantizeRules.type);
  const { threads, pure = false, imatrix, ...request } = options;
  const importance = imatrix === undefined ? undefined : readImportance(imatrix);
  using converter = openConverter(threads);
  const { convert } = converter;
  const result = await quantiseModel({ ...request, isPure: pure, importance, convert });
  const isPoor = importance === undefined && result.tensors.some(({ to }) => wantsImportance(to));
  return { ...result, notices: [...converter.notices, ...(isPoor ? [withoutImportance] : [])] };
}

const withoutImportance =
  "types of less than three bits make poor models without an importance matrix: hearth profile --imatrix makes one";
