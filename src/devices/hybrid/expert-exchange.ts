/** Makes the exchanges that expert-scores.ts chooses: behind a step, before the next one begins. */
import type { Executable } from "../../backends/backend.ts";
import type { Tokens } from "../../core/units.ts";
import { ExpertAdapter } from "../../placement/expert-scores.ts";
import type { PlanLayer } from "../../placement/plan.ts";
import type { AdaptOptions } from "./adapt.ts";

export class ExpertExchange {
  readonly #adapter: ExpertAdapter;
  readonly #gpu: Executable;
  readonly #cpu: Executable;

  /** Undefined where one device has nothing, or cannot change its experts. */
  static create(
    { gpu, cpu }: { readonly gpu: Executable | undefined; readonly cpu: Executable | undefined },
    layers: readonly PlanLayer[],
    { frequencies = [] }: AdaptOptions,
  ): ExpertExchange | undefined {
    if (!gpu?.canReplaceNeurons || !cpu?.canReplaceNeurons) return undefined;
    return new ExpertExchange({ gpu, cpu }, new ExpertAdapter(layers, frequencies));
  }

  private constructor(
    devices: { readonly gpu: Executable; readonly cpu: Executable },
    adapter: ExpertAdapter,
  ) {
    this.#gpu = devices.gpu;
    this.#cpu = devices.cpu;
    this.#adapter = adapter;
  }

  get exchangedExperts(): number {
    return this.#adapter.exchangedExperts;
  }

  routed(layer: number, routes: Float32Array, used: number): void {
    this.#adapter.routed(layer, routes, used);
  }

  /** A step of so many tokens has ended, and nothing else runs. The copies of a layer are made together. */
  async passed(tokens: Tokens): Promise<void> {
    if (!this.#adapter.passed(tokens)) return;
    const exchanges = this.#adapter.choose();
    for (const { layer, toGpu, toCpu } of exchanges) {
      const shared = { layer, ofExperts: true } as const;
      await this.#gpu.replaceNeurons({ ...shared, from: toCpu, to: toGpu });
      await this.#cpu.replaceNeurons({ ...shared, from: toGpu, to: toCpu });
    }
    this.#adapter.exchanged(exchanges);
  }
}
