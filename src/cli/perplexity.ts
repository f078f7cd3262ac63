/** `hearth perplexity`: how surprised a model is by a text, by llama.cpp's definition. */

import { type Command, Option } from "commander";
import { counted } from "../core/counted.ts";
import { defined } from "../core/defined.ts";
import { visibleJson } from "../core/visible-text.ts";
import {
  type ComparisonResult,
  compareWithDense,
  type Estimate,
  OptionError,
  type Perplexity,
  type PerplexityOptions,
  type PerplexityResult,
  perplexity,
} from "../index.ts";
import { readInput } from "./input-text.ts";
import { addEngineOptions, type EngineFlags, engineOptions } from "./model-options.ts";
import { positiveNumber } from "./option-values.ts";
import { print } from "./output.ts";
import { createBar } from "./progress.ts";
import { sparsityJson } from "./sparsity-report.ts";
import { table } from "./table.ts";
import { showRemarks } from "./voice.ts";

interface PerplexityFlags extends EngineFlags {
  readonly file?: string;
  readonly ids?: string;
  readonly maxTokens?: number;
  readonly compare?: "dense";
  readonly json?: true;
}

const examples = `
Windows of --context tokens; of each the second half is scored. Steps of many rows compute all neurons and drop the
inactive ones; --batch 1 measures the kernels that decoding uses.

Examples:
  $ hearth perplexity model.gguf --file book.txt -c 512
  $ hearth perplexity model.gguf --ids ids.json -c 256 --json
  $ hearth perplexity model.gguf --file book.txt --sparsity threshold --compare dense`;

export function addPerplexityCommand(program: Command): void {
  const command = program
    .command("perplexity")
    .description("measure the perplexity of a text")
    .argument("<model>", "a GGUF file")
    .option("-f, --file <text>", "a text file (no default: this or --ids)")
    .option(
      "--ids <json>",
      "a JSON array of token ids, not tokenised again (no default: this or --file)",
    )
    .option("--max-tokens <n>", "use at most this many tokens (default: all)", positiveNumber)
    .addOption(
      new Option(
        "--compare <with>",
        "divergence from the dense model on the processor (default: none)",
      ).choices(["dense"]),
    )
    .option("--json", "print one JSON object")
    .addHelpText("after", examples);
  addEngineOptions(command).action(measure);
}

async function measure(path: string, flags: PerplexityFlags, command: Command): Promise<void> {
  const { file, ids, maxTokens, contextLength: window } = flags;
  if ((file === undefined) === (ids === undefined)) {
    command.error(`give one of --file and --ids, not ${file === undefined ? "neither" : "both"}`);
  }
  const source = ids === undefined ? readInput(file ?? "") : readIds(ids);
  const bar = createBar("measuring", "tokens", flags);
  try {
    const options: PerplexityOptions = {
      ...engineOptions(flags),
      ...defined({ window, maxTokens }),
      onTokens: (done, total) => bar.update(done, total),
    };
    const measured =
      flags.compare === undefined
        ? await perplexity(path, source, options)
        : await compareWithDense(path, source, options);
    bar.stop();
    showRemarks(measured, flags);
    const text =
      "klDivergence" in measured ? comparedText(measured, flags) : measuredText(measured, flags);
    print(text);
  } finally {
    bar.stop();
  }
}

function measuredText(measured: PerplexityResult, flags: PerplexityFlags): string {
  if (flags.json) {
    const sparsity = sparsityJson(measured.sparsity);
    return visibleJson({ ...perplexityJson(measured), sparsity });
  }
  const { standardError, tokens } = measured;
  return `perplexity ${measured.perplexity.toFixed(4)} ± ${standardError.toFixed(4)} over ${counted(tokens, "token")}`;
}

function perplexityJson({ perplexity: value, standardError, tokens }: Perplexity): object {
  return { perplexity: value, standard_error: standardError, tokens };
}

function comparedText(compared: ComparisonResult, flags: PerplexityFlags): string {
  const { candidate, reference, klDivergence, topAgreement, logRatio } = compared;
  if (flags.json) return visibleJson(comparisonJson(compared));
  const { median, percentile99, largest } = klDivergence;
  return table([
    ["candidate", `${compared.sparsity.method}, ${compared.candidateDevice}`],
    ["reference", `dense, ${compared.referenceDevice}`],
    ["tokens", String(candidate.tokens)],
    ["perplexity", plusMinus({ ...candidate, mean: candidate.perplexity }, 4)],
    ["of reference", plusMinus({ ...reference, mean: reference.perplexity }, 4)],
    ["ln ratio", smallPlusMinus(logRatio)],
    ["KL divergence", smallPlusMinus(klDivergence), "nats, mean"],
    [
      "",
      [median, percentile99, largest].map((value) => value.toPrecision(3)).join(", "),
      "median, 99 %, largest",
    ],
    ["same top token", `${inPercent(topAgreement)} %`],
  ]);
}

function plusMinus({ mean, standardError }: Estimate, digits: number): string {
  return `${mean.toFixed(digits)} ± ${standardError.toFixed(digits)}`;
}

/** For what may be of any order: three digits of whatever it is. */
function smallPlusMinus({ mean, standardError }: Estimate): string {
  return `${mean.toPrecision(3)} ± ${standardError.toPrecision(2)}`;
}

function inPercent({ mean, standardError }: Estimate): string {
  return plusMinus({ mean: 100 * mean, standardError: 100 * standardError }, 2);
}

function comparisonJson(compared: ComparisonResult): object {
  const { candidate, reference, klDivergence, topAgreement, logRatio } = compared;
  const estimate = ({ mean, standardError }: Estimate): object => ({
    mean,
    standard_error: standardError,
  });
  const { median, percentile99, largest } = klDivergence;
  return {
    sparsity: sparsityJson(compared.sparsity),
    device: compared.candidateDevice,
    reference_device: compared.referenceDevice,
    candidate: perplexityJson(candidate),
    reference: perplexityJson(reference),
    log_ratio: estimate(logRatio),
    kl_divergence: { ...estimate(klDivergence), median, percentile_99: percentile99, largest },
    top_agreement: estimate(topAgreement),
  };
}

function readIds(path: string): readonly number[] {
  const parsed: unknown = parseJson(path);
  const isIds = Array.isArray(parsed) && parsed.every((id): id is number => Number.isInteger(id));
  if (isIds) return parsed;
  throw new OptionError("--ids", path, "a JSON array of whole numbers");
}

function parseJson(path: string): unknown {
  const text = new TextDecoder().decode(readInput(path));
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError)
      throw new OptionError("--ids", path, `JSON (${error.message})`);
    throw error;
  }
}
