/** `hearth profile` of a mixture: which of its experts are chosen, over texts of your own. */
import { counted } from "../core/counted.ts";
import { percent } from "../core/numbers.ts";
import { visibleJson, visibleText } from "../core/visible-text.ts";
import { type ExpertLayer, type ExpertProfile, OptionError } from "../index.ts";
import { print } from "./output.ts";
import { writeOutput } from "./output-file.ts";
import { table } from "./table.ts";

export interface ExpertFlags {
  readonly plot?: string;
  readonly json?: true;
}

/** Counts of neurons add up and are drawn again, those of experts are counted anew. @throws OptionError without a text. */
export function checkExpertFlags(flags: {
  readonly corpora?: readonly string[] | undefined;
}): void {
  if ((flags.corpora ?? []).length === 0) {
    throw new OptionError("--corpus", "nothing", "a text to read");
  }
}

export async function showExperts(profile: ExpertProfile, flags: ExpertFlags): Promise<void> {
  if (flags.plot !== undefined) await writeOutput(flags.plot, profile.plot());
  print(flags.json ? visibleJson(asJson(profile)) : asText(profile));
}

function asJson({ sidecar, tokens, isComplete, layers }: ExpertProfile): object {
  return {
    sidecar,
    tokens,
    complete: isComplete,
    layers: layers.map((layer) => ({
      layer: layer.layer,
      experts: layer.experts,
      used: layer.used,
      frequencies: [...layer.frequencies],
      mean_weights: [...layer.meanWeights],
      hottest_tenth: layer.hottestTenth,
      hottest_tenth_of_uniform: layer.hottestTenthOfUniform,
      median_reuse_tokens: layer.medianReuse,
      median_reuse_tokens_of_uniform: layer.medianReuseOfUniform,
    })),
  };
}

function asText({ sidecar, tokens, layers }: ExpertProfile): string {
  const [first] = layers;
  const mixture = first ? `${first.used} of ${counted(first.experts, "expert")}` : "no experts";
  const head = ["", "most used", "of choices", "all alike", "again after", "all alike"];
  const rows = layers.map((layer) => [
    `layer ${layer.layer}`,
    mostUsed(layer),
    percent(layer.hottestTenth, 1),
    percent(layer.hottestTenthOfUniform, 1),
    distance(layer.medianReuse),
    distance(layer.medianReuseOfUniform),
  ]);
  return [
    `${counted(tokens, "token")}, ${mixture} in a layer for each; of choices: what the most used tenth of the experts makes`,
    table([head, ...rows]),
    `kept in ${visibleText(sidecar)}`,
  ].join("\n");
}

/** How often it is chosen, and its part of the sum of all weights that experts were chosen with. */
function mostUsed({ frequencies, meanWeights }: ExpertLayer): string {
  const most = frequencies.indexOf(Math.max(...frequencies));
  const mass = Float64Array.from(
    frequencies,
    (often, expert) => often * (meanWeights[expert] ?? 0),
  );
  const all = mass.reduce((sum, each) => sum + each, 0);
  const part = all === 0 ? 0 : (mass[most] ?? 0) / all;
  return `${most} (${percent(frequencies[most] ?? 0, 1)} of tokens, ${percent(part, 1)} of weight)`;
}

function distance(tokens: number | undefined): string {
  return tokens === undefined ? "never" : counted(tokens, "token");
}
