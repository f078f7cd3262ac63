/**
 * Makes the exchanges that adapt.ts chooses: takes counts of single neurons, has both devices compute others,
 * and hands the counts on to the learner.
 */
import type { Executable, FfnCounts, NeuronCounts } from "../../backends/backend.ts";
import { runWithPauses } from "../../core/pausable.ts";
import type { Milliseconds, Tokens } from "../../core/units.ts";
import type { PlanLayer } from "../../placement/plan.ts";
import { type AdaptOptions, HybridAdapter } from "./adapt.ts";
import { joinNeuronCounts } from "./neuron-rates.ts";

/** A host samples a token in less time than this: a longer pause is idle. */
const idleAfter: Milliseconds = 10;

export class HybridExchange {
  readonly #adapter: HybridAdapter;
  readonly #gpu: Executable;
  readonly #cpu: Executable;
  #timer: NodeJS.Timeout | undefined;
  #isWatching = false;
  /** Counts that were taken from the CPU and not yet asked for; undefined while nobody learns. */
  #unclaimed: NeuronCounts[] | undefined;

  /** Undefined where one device has nothing, cannot change its neurons, or the CPU does not count them. */
  static create(
    devices: { readonly gpu: Executable | undefined; readonly cpu: Executable | undefined },
    layers: readonly PlanLayer[],
    options: AdaptOptions | undefined,
  ): HybridExchange | undefined {
    const { gpu, cpu } = devices;
    if (options === undefined || gpu === undefined || cpu === undefined) return undefined;
    if (!gpu.canReplaceNeurons || !cpu.canReplaceNeurons || cpu.counts === "blocks") {
      return undefined;
    }
    return new HybridExchange({ gpu, cpu }, new HybridAdapter(layers, options));
  }

  private constructor(
    devices: { readonly gpu: Executable; readonly cpu: Executable },
    adapter: HybridAdapter,
  ) {
    this.#gpu = devices.gpu;
    this.#cpu = devices.cpu;
    this.#adapter = adapter;
  }

  get exchangedGroups(): number {
    return this.#adapter.exchangedGroups;
  }

  /** Before the first step: the CPU counts from now on. */
  async watch(): Promise<void> {
    if (this.#isWatching) return;
    this.#isWatching = true;
    await this.#cpu.neuronCounts();
  }

  counted(gpu: readonly FfnCounts[], cpu: readonly FfnCounts[], tokens: Tokens): void {
    this.#adapter.counted(gpu, cpu, tokens);
  }

  /** Calls `exchange` when nothing has run for a while and an exchange is due. */
  ran(exchange: () => void): void {
    this.stop();
    if (this.#adapter.isDue) this.#timer = setTimeout(exchange, idleAfter).unref();
  }

  /** Cancels a pending exchange, because a step begins or the executable is disposed. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  /** To be called while nothing runs. Returns how many groups changed places. */
  async exchange(): Promise<number> {
    if (!this.#adapter.isDue) return 0;
    await this.#take();
    const exchanges = await runWithPauses(this.#adapter.choose());
    for (const { layer, toGpu, toCpu } of exchanges) {
      await this.#gpu.replaceNeurons({ layer, from: toCpu, to: toGpu });
      await this.#cpu.replaceNeurons({ layer, from: toGpu, to: toCpu });
    }
    if (exchanges.length > 0) this.#adapter.exchanged(exchanges);
    else this.#adapter.begin();
    return exchanges.length;
  }

  /** Counts since the last call; the counting starts with the first one. */
  async neuronCounts(): Promise<readonly NeuronCounts[]> {
    await this.#take();
    const counts = joinNeuronCounts(this.#unclaimed ?? []);
    this.#unclaimed = [];
    return counts;
  }

  /** Counts name neurons by their present places, so they are taken before neurons change places. */
  async #take(): Promise<void> {
    const counts = await this.#cpu.neuronCounts();
    const own = counts.map((count) => ({ ...count, neurons: count.neurons.slice() }));
    this.#adapter.watched(own);
    this.#unclaimed?.push(...own);
  }
}
