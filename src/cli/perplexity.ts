/** `hearth perplexity`: how surprised a model is by a text, by llama.cpp's definition. */
import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { OptionError, perplexity } from "../index.ts";
import { addEngineOptions, type EngineFlags, engineOptions } from "./model-options.ts";
import { wholeNumber } from "./option-values.ts";
import { createBar } from "./progress.ts";
import { sparsityJson } from "./sparsity-report.ts";

interface PerplexityFlags extends EngineFlags {
  readonly file?: string;
  readonly ids?: string;
  readonly maxTokens?: number;
  readonly json?: true;
}

const examples = `
Windows of --context tokens; of each the second half is scored.

Examples:
  $ hearth perplexity model.gguf --file book.txt -c 512
  $ hearth perplexity model.gguf --ids ids.json -c 256 --json`;

export function addPerplexityCommand(program: Command): void {
  const command = program
    .command("perplexity")
    .description("measure the perplexity of a text")
    .argument("<model>", "a GGUF file")
    .option("--file <text>", "a text file")
    .option("--ids <json>", "a JSON array of token ids, not tokenised again")
    .option("--max-tokens <n>", "use at most this many tokens", wholeNumber)
    .option("--json", "print one JSON object")
    .addHelpText("after", examples);
  addEngineOptions(command).action(measure);
}

async function measure(path: string, flags: PerplexityFlags): Promise<void> {
  const { file, ids, maxTokens, context } = flags;
  if ((file === undefined) === (ids === undefined)) {
    throw new OptionError("--file, --ids", file === undefined ? "neither" : "both", "one of them");
  }
  const source = ids === undefined ? readFileSync(file ?? "") : readIds(ids);
  const bar = createBar("measuring", "tokens");
  try {
    const measured = await perplexity(path, source, {
      ...engineOptions(flags),
      ...(context !== undefined && { window: context }),
      ...(maxTokens !== undefined && { maxTokens }),
      onTokens: (done, total) => bar.update(done, total),
    });
    bar.stop();
    const { standardError, tokens } = measured;
    for (const notice of measured.notices) process.stderr.write(`hearth: ${notice}\n`);
    const sparsity = sparsityJson(measured.sparsity);
    const json = {
      perplexity: measured.perplexity,
      standard_error: standardError,
      tokens,
      sparsity,
    };
    const text = `perplexity ${measured.perplexity.toFixed(4)} ± ${standardError.toFixed(4)} over ${tokens} tokens`;
    process.stdout.write(`${flags.json ? JSON.stringify(json) : text}\n`);
  } finally {
    bar.stop();
  }
}

function readIds(path: string): readonly number[] {
  const parsed: unknown = parseJson(path);
  const isIds = Array.isArray(parsed) && parsed.every((id): id is number => Number.isInteger(id));
  if (isIds) return parsed;
  throw new OptionError("--ids", path, "a JSON array of whole numbers");
}

function parseJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (error instanceof SyntaxError)
      throw new OptionError("--ids", path, `JSON (${error.message})`);
    throw error;
  }
}
