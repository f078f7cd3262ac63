/** What native llama.cpp made of the first model of each architecture: the suite compares it without native llama.cpp. */
import type { Expected } from "./measure.ts";
import type { ProvedModel } from "./page.ts";

export interface GoldenModel extends Required<Expected> {
  readonly name: string;
  /** As on make-model's command line. */
  readonly options: string;
}

/** The proved models' own take the place of those of `before`; in the order of `names`. */
export function goldenWith(
  models: readonly ProvedModel[],
  { before, names }: { readonly before: string; readonly names: readonly string[] },
): string {
  const known: readonly GoldenModel[] = JSON.parse(before);
  const made = goldenOf(models);
  const golden = [...new Set(names)].flatMap((name) => {
    const own = made.find((model) => model.name === name);
    return own ?? known.find((model) => model.name === name) ?? [];
  });
  return `${JSON.stringify(golden, undefined, 2)}\n`;
}

function goldenOf(models: readonly ProvedModel[]): readonly GoldenModel[] {
  const known = new Set<string>();
  return models.flatMap(({ name, options, tie, result }): GoldenModel[] => {
    const { perplexity, answers } = result.native;
    if (answers === undefined || known.has(name)) return [];
    known.add(name);
    return [{ name, options, tie, perplexity, answers }];
  });
}
