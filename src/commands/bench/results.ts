/** What the rounds of a bench come to: a line of the report for each contender and test. */
import { basename } from "node:path";
import type { Engine } from "../../engine/engine.ts";
import type { ModelDescription } from "../../model/describe.ts";
import { inspectModel } from "../inspect.ts";
import { type Contender, isComparable, type Test } from "./contender.ts";
import type { Opponent } from "./opponent.ts";
import type { AgainstResult, BenchResult } from "./report.ts";
import { ratioOf, spreadOf } from "./statistics.ts";

export async function resultsOf(
  contenders: readonly Contender[],
  tests: readonly Test[],
): Promise<readonly BenchResult[]> {
  const results: BenchResult[] = [];
  for (const contender of contenders) {
    const { hybrid } = await contender.engine.report();
    const gpuShare = hybrid && { gpu_share: hybrid.gpuActivationShare };
    for (const test of tests) results.push({ ...resultOf(contender, test), ...gpuShare });
  }
  return results;
}

function resultOf(contender: Contender, test: Test): BenchResult {
  const { path, engine, opponents, samples } = contender;
  const { hearth = [], llamaBench = [], nodeLlamaCpp = [] } = samples.get(test) ?? {};
  const rates = spreadOf(hearth);
  const { sparsity } = engine;
  const isSparse = sparsity.method !== "dense";
  const isShared = isComparable(test);
  return {
    model: basename(path),
    parameters: engine.model.parameters,
    file_bytes: inspectModel(path).fileBytes,
    quant: engine.model.types[0]?.type ?? "unknown",
    test: nameOf(test),
    device: engine.device,
    sparsity: sparsity.method,
    tokens_per_second: rates,
    ...(readsWeightsAlone(test) && traffic(contender, rates.median)),
    ...(isSparse && { active_share: sparsity.activeShare }),
    ...(isShared &&
      opponents.llamaBench && {
        against_llama_bench: againstResult(opponents.llamaBench, hearth, llamaBench),
      }),
    ...(isShared &&
      opponents.nodeLlamaCpp && {
        against: againstResult(opponents.nodeLlamaCpp, hearth, nodeLlamaCpp),
      }),
  };
}

function againstResult(
  { name }: Opponent,
  own: readonly number[],
  other: readonly number[],
): AgainstResult {
  return { program: name, tokens_per_second: spreadOf(other), ratio: ratioOf(own, other) };
}

/** Deep in a text the cache is read, too, and several answers share what is read. */
function readsWeightsAlone(test: Test): boolean {
  return test.kind === "decode" && test.answers === 1 && test.depth === 0;
}

/** As llama-bench names them; "tg64x4" writes four answers at once. */
function nameOf(test: Test): string {
  const depth = test.depth === 0 ? "" : ` @ d${test.depth}`;
  if (test.kind === "prompt") return `pp${test.tokens}${depth}`;
  return `tg${test.tokens}${test.answers === 1 ? "" : `x${test.answers}`}${depth}`;
}

function traffic(
  { engine, roofs, gpuRoof: cardRoof }: Contender,
  tokensPerSecond: number,
): Pick<BenchResult, "bytes_per_token" | "bytes_per_second" | "roof_bytes_per_second"> {
  const { method, ...sparsity } = engine.sparsity;
  const roof = roofs.length > 0 ? spreadOf(roofs).median : cardRoof;
  const perToken = weightBytesPerToken(engine.model, method === "dense" ? undefined : sparsity);
  return {
    bytes_per_token: perToken,
    bytes_per_second: perToken * tokensPerSecond,
    ...(roof !== undefined && { roof_bytes_per_second: roof }),
  };
}

/** All weights that one token reads: every layer and the output; of the embedding a row only, unless it is the output. */
function weightBytesPerToken(
  { layers, output, tied, embedding }: ModelDescription,
  sparsity: Pick<Engine["sparsity"], "bytesTouchedPerToken" | "bytesDensePerToken"> | undefined,
): number {
  const all = layers.reduce(
    (sum, layer) => sum + layer.attention + layer.norms + layer.ffnPerToken,
    0,
  );
  const { bytesTouchedPerToken = 0, bytesDensePerToken = 0 } = sparsity ?? {};
  const skipped = bytesDensePerToken - bytesTouchedPerToken;
  return all - skipped + output + (tied ? embedding : 0);
}
