/**
 * How often the experts that a text's tokens choose would be on the card: as a plan has them, as the best plan for this very text
 * with equally many of each layer would, and with exchanges as a run makes them. The text is read on the processor.
 */
import { OptionError } from "../core/errors.ts";
import type { Tokens } from "../core/units.ts";
import { openHostBackend } from "../engine/host-backend.ts";
import type { SparseSetup } from "../engine/resolve-sparsity.ts";
import { openCorpus } from "../learning/corpus.ts";
import { countExperts, type StepRoutes } from "../learning/count-experts.ts";
import { ExpertAdapter } from "../placement/expert-scores.ts";
import { cpuDevice, type Plan } from "../placement/plan.ts";
import { frequenciesOf } from "../sparsity/expert-profile.ts";
import { loadTokenizer } from "../text/tokenizer.ts";

/** Shares of all choices, 0 to 1. */
export interface ExpertHits {
  /** Of the text. */
  readonly tokens: Tokens;
  readonly plan: number;
  /** Of any plan with as many experts of each layer on the card. */
  readonly oracle: number;
  readonly exchange: number;
  /** Experts that came to the card meanwhile. */
  readonly exchanged: number;
}

/** So many of the text are read. */
const mostTokens: Tokens = 4096;

/** @throws OptionError for a model without experts, FileAccessError. */
export async function expertHits(
  setup: SparseSetup,
  plan: Plan,
  text: string,
): Promise<ExpertHits> {
  const { model, options, sidecar } = setup;
  if (!plan.layers.some(({ unit }) => unit === "expert")) {
    const found = `a model without experts (${model.architecture.name})`;
    throw new OptionError(
      "stats",
      found,
      "a mixture of experts: of neurons, hearth bench measures the share",
    );
  }
  const corpora = [await openCorpus(text)];
  const tokenizer = await loadTokenizer(model.gguf.metadata, model.vocabulary);
  const { threads, signal } = options;
  const { backend } = openHostBackend("auto", { threads });
  const tally = new HitTally(plan, frequenciesOf(sidecar?.experts));
  try {
    const uses = await countExperts(
      model,
      { tokenizer, backend },
      {
        corpora,
        tokens: mostTokens,
        onRoutes: (step) => tally.add(step),
        ...(signal && { signal }),
      },
    );
    return tally.hits(new Map(uses.map(({ layer, counts }) => [layer, counts])));
  } finally {
    backend[Symbol.dispose]();
  }
}

/** The lines below a plan's tables. */
export function describeHits({ tokens, plan, oracle, exchange, exchanged }: ExpertHits): string {
  const percent = (share: number): string => `${(100 * share).toFixed(1).padStart(5)} %`;
  return [
    `Choices of experts that the card serves, of ${tokens} tokens of text:`,
    `  this plan                    ${percent(plan)}`,
    `  the best plan for this text  ${percent(oracle)}`,
    `  this plan with exchanges     ${percent(exchange)} (${exchanged} experts copied; hearth run --adapt)`,
    "",
  ].join("\n");
}

class HitTally {
  readonly #hot: readonly ReadonlySet<number>[];
  readonly #isSplit: readonly boolean[];
  readonly #adapter: ExpertAdapter;
  #tokens = 0;
  #choices = 0;
  #static = 0;
  #adaptive = 0;

  constructor({ layers }: Plan, frequencies: readonly (Float32Array | undefined)[]) {
    this.#hot = layers.map(
      ({ parts }) =>
        new Set(parts.flatMap(({ device, units }) => (device === cpuDevice ? [] : [...units]))),
    );
    this.#isSplit = layers.map(({ parts }) => parts.length > 1);
    this.#adapter = new ExpertAdapter(layers, frequencies);
  }

  /** Token after token, all layers of each. */
  add({ rows, layers }: StepRoutes): void {
    for (let row = 0; row < rows; row++) {
      for (const { layer, used, routes } of layers) {
        const own = routes.subarray(2 * used * row, 2 * used * (row + 1));
        for (const id of own.subarray(0, used)) this.#choice(layer, id);
        this.#adapter.routed(layer, own, used);
      }
      this.#tokens++;
      if (this.#adapter.passed(1)) this.#adapter.exchanged(this.#adapter.choose());
    }
  }

  hits(counts: ReadonlyMap<number, Float64Array>): ExpertHits {
    const share = (hits: number): number => (this.#choices === 0 ? 0 : hits / this.#choices);
    const best = [...counts].reduce((sum, [layer, own]) => {
      const most = own
        .toSorted()
        .reverse()
        .subarray(0, this.#hot[layer]?.size ?? 0);
      return sum + most.reduce((all, count) => all + count, 0);
    }, 0);
    return {
      tokens: this.#tokens,
      plan: share(this.#static),
      oracle: share(best),
      exchange: share(this.#adaptive),
      exchanged: this.#adapter.exchangedExperts,
    };
  }

  #choice(layer: number, id: number): void {
    const isHot = this.#hot[layer]?.has(id) ?? false;
    const isHotNow = this.#isSplit[layer] ? this.#adapter.isHot(layer, id) : isHot;
    this.#choices++;
    this.#static += Number(isHot);
    this.#adaptive += Number(isHotNow);
  }
}
