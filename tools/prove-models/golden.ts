/** What native llama.cpp made of the first model of each architecture: the suite compares it without native llama.cpp. */
import type { Expected } from "./measure.ts";
import type { ProvedModel } from "./page.ts";

export interface GoldenModel extends Required<Expected> {
  readonly name: string;
  /** As on make-model's command line. */
  readonly options: string;
}

export function goldenOf(models: readonly ProvedModel[]): string {
  const known = new Set<string>();
  const golden = models.flatMap(({ name, options, tie, result }): GoldenModel[] => {
    const { perplexity, answers } = result.native;
    if (answers === undefined || known.has(name)) return [];
    known.add(name);
    return [{ name, options, tie, perplexity, answers }];
  });
  return `${JSON.stringify(golden, undefined, 2)}\n`;
}
