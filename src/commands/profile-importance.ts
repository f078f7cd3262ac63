/** `profileImportance`: an importance matrix of a model over texts, in llama.cpp's form. */
import {
  checkOptions,
  checkValue,
  type OptionRules,
  pathRule,
  textListRule,
} from "../core/check-options.ts";
import { OptionError } from "../core/errors.ts";
import type { Tokens } from "../core/units.ts";
import { type HostDevice, openHostBackend } from "../engine/host-backend.ts";
import { writeImportance } from "../gguf/importance-matrix.ts";
import { openGguf } from "../gguf/open.ts";
import { checkReplaceable } from "../io/replace-file.ts";
import { sumColumns } from "../learning/column-sums.ts";
import { openCorpus } from "../learning/corpus.ts";
import { Gatherer } from "../learning/gather.ts";
import { refuseMixtures } from "../model/mixture.ts";
import { openModel } from "../model/model.ts";
import { loadTokenizer } from "../text/tokenizer.ts";
import { corpusRules, defaultTokens } from "./corpus-rules.ts";

export interface ImportanceOptions {
  /** Text files, or JSONL and CSV with a field text, prompt or content. */
  readonly corpora: readonly string[];
  /** Becomes a GGUF file that `quantizeModel` and llama-quantize read. */
  readonly output: string;
  /** Tokens of each corpus. Default 100 000. */
  readonly tokens?: Tokens;
  /** Tokens read in one window, BOS included. Default: the model's context, at most 512. */
  readonly window?: Tokens;
  /** Default "auto". */
  readonly device?: HostDevice;
  /** Default: the physical cores this process may use. */
  readonly threads?: number;
  readonly onTokens?: (done: Tokens, total: Tokens) => void;
  /** Stops reading; what was read is written. */
  readonly signal?: AbortSignal;
}

export interface ImportanceSummary {
  readonly output: string;
  readonly tokens: Tokens;
  /** Matrices that the file knows something of. */
  readonly matrices: number;
  /** False: it was stopped before all tokens were read. */
  readonly isComplete: boolean;
  readonly notices: readonly string[];
}

const rules: OptionRules<ImportanceOptions> = { ...corpusRules, output: pathRule };

/** @throws OptionError, UnsupportedError for a mixture of experts, FileFormatError or DeviceError. */
export async function profileImportance(
  path: string,
  options: ImportanceOptions,
): Promise<ImportanceSummary> {
  checkOptions(options, rules, "profileImportance");
  checkValue(options.corpora, "corpora", textListRule);
  checkValue(options.output, "output", pathRule);
  if (options.corpora.length === 0) throw new OptionError("corpus", "none", "a text to read");
  const model = openModel(openGguf(path));
  refuseMixtures(model, "an importance matrix", ["models with plain blocks; llama-imatrix"]);
  checkReplaceable(options.output);
  const corpora = await Promise.all(options.corpora.map(openCorpus));
  const { output, tokens = defaultTokens, onTokens, signal, device = "auto", threads } = options;
  const window = options.window ?? Math.min(512, model.hyperparameters.contextLength);
  const { backend, notices } = openHostBackend(device, { threads });
  try {
    const tokenizer = await loadTokenizer(model.gguf.metadata, model.vocabulary);
    using gatherer = await Gatherer.open(model, tokenizer, backend, { window });
    const { rows, matrices } = await sumColumns(gatherer, {
      corpora,
      tokens,
      tensors: new Set(model.gguf.tensors.keys()),
      signal,
      onTokens: (done) => onTokens?.(done, tokens * corpora.length),
    });
    const names = corpora.map(({ name }) => name);
    await writeImportance(output, { matrices, rows, window, corpora: names });
    return {
      output,
      tokens: rows,
      matrices: matrices.length,
      isComplete: signal?.aborted !== true,
      notices: [...model.notices, ...tokenizer.notices, ...notices],
    };
  } finally {
    backend[Symbol.dispose]();
  }
}
