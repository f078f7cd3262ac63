/** `quantizeModel`: a model in another weight type, converted by the processor's threads. */
import { openConverter } from "../backends/cpu/open-converter.ts";
import { threadsRule } from "../backends/machine-rules.ts";
import {
  checkOptions,
  checkValue,
  choiceRule,
  functionRule,
  type OptionRules,
  pathRule,
  signalRule,
} from "../core/check-options.ts";
import {
  type QuantizeResult as Quantised,
  type QuantizeProgress,
  quantiseModel,
} from "../gguf/quantize-model.ts";
import { type QuantisedType, quantisedTypes } from "../gguf/quantize-recipe.ts";

export interface QuantizeOptions {
  /** A model, or any part of a split one. */
  readonly input: string;
  /** Becomes one file, whatever the input was. An existing file is replaced once the new one is complete. */
  readonly output: string;
  readonly type: QuantisedType;
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
  threads: threadsRule,
  onProgress: functionRule,
  signal: signalRule,
};

/** @throws OptionError, UnsupportedError, FileFormatError before anything is written; nothing is left after a failure. */
export async function quantizeModel(options: QuantizeOptions): Promise<QuantizeResult> {
  checkOptions(options, quantizeRules, "quantize");
  checkValue(options.output, "output", pathRule);
  checkValue(options.type, "type", quantizeRules.type);
  const { threads, ...request } = options;
  using converter = openConverter(threads);
  const result = await quantiseModel({ ...request, convert: converter.convert });
  return { ...result, notices: converter.notices };
}
