/** Greedy tokens of an engine, as far as they are certain, and whether another device's are the same. */
import type { Engine } from "../../src/engine/engine.ts";

/** Two best logits closer than this may change places: sums are in another order on a card. */
const tie = 1e-3;

export interface Asked {
  readonly prompt: readonly number[];
  readonly tokens: number;
}

/** Up to the first tie. */
export async function certainTokens(
  engine: Engine,
  { prompt, tokens }: Asked,
): Promise<readonly number[]> {
  const certain: number[] = [];
  const ask = { temperature: 0, maxTokens: tokens, ignoreEos: true, logprobs: 2 };
  let isCertain = true;
  for await (const { token, topLogprobs } of engine.generate(prompt, ask)) {
    if (token === undefined || topLogprobs === undefined) continue;
    const [best, second] = topLogprobs;
    if (best !== undefined && second !== undefined && best.logprob - second.logprob < tie)
      isCertain = false;
    if (isCertain) certain.push(token);
  }
  return certain;
}

export async function greedyTokens(
  engine: Engine,
  { prompt, tokens }: Asked,
): Promise<readonly number[]> {
  const ask = { temperature: 0, maxTokens: tokens, ignoreEos: true };
  return (await engine.generate(prompt, ask).result).tokens;
}

/** What is wrong with `found`; undefined where it begins with what is certain. No certain token proves nothing. */
export function tokenProblem(
  certain: readonly number[],
  found: readonly number[],
): string | undefined {
  if (certain.length === 0) return "no token was certain";
  const at = certain.findIndex((token, i) => found[i] !== token);
  return at < 0 ? undefined : `token ${at} is ${found[at]}, not ${certain[at]}`;
}
