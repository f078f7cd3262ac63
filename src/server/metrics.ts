/**
 * What the server counts. Counting is adding numbers: reading `/metrics` runs nothing in an engine and waits for no step.
 * Names beginning with `llamacpp:` mean what llama-server's mean, so that its dashboards work.
 */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Milliseconds, Tokens } from "../core/units.ts";
import type { GenerationResult } from "../index.ts";
import type { ModelHost } from "./models/host.ts";

/** Seconds: from an answer out of the cache to a prompt of a hundred thousand tokens. */
const firstTokenBuckets = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300];

/** Tokens in a second since the server began, as llama-server has them; 0 before the first. */
class Rates {
  #read: Tokens = 0;
  #reading: Milliseconds = 0;
  #written: Tokens = 0;
  #writing: Milliseconds = 0;

  count({ promptTokens, cachedTokens, completionTokens, timings }: GenerationResult): void {
    this.#read += promptTokens - cachedTokens;
    this.#reading += timings.promptMilliseconds;
    // The first token comes with the prompt.
    this.#written += Math.max(0, completionTokens - 1);
    this.#writing += timings.decodeMilliseconds;
  }

  get prompt(): number {
    return this.#reading > 0 ? (1000 * this.#read) / this.#reading : 0;
  }

  get answer(): number {
    return this.#writing > 0 ? (1000 * this.#written) / this.#writing : 0;
  }
}

export class Metrics {
  readonly #registry = new Registry();
  readonly #promptTokens: Counter<"model">;
  readonly #cachedTokens: Counter<"model">;
  readonly #llamaCachedTokens: Counter<"model">;
  readonly #promptSeconds: Counter<"model">;
  readonly #answerTokens: Counter<"model">;
  readonly #answerSeconds: Counter<"model">;
  readonly #answers: Counter<"model" | "finish_reason">;
  readonly #requests: Counter<"route" | "status">;
  readonly #firstToken: Histogram<"model">;
  readonly #rates: Rates = new Rates();
  /** Tokens of the longest conversation. */
  #longest: Tokens = 0;

  constructor(models: Pick<ModelHost, "loaded">) {
    const registers = [this.#registry];
    const counter = <Label extends string>(name: string, help: string, labelNames: Label[]) =>
      new Counter({ name, help, labelNames, registers });
    this.#promptTokens = counter(
      "llamacpp:prompt_tokens_total",
      "Prompt tokens read, without those found in the cache",
      ["model"],
    );
    this.#cachedTokens = counter(
      "hearth_cached_prompt_tokens_total",
      "Prompt tokens found in the cache",
      ["model"],
    );
    this.#llamaCachedTokens = counter(
      "llamacpp:prompt_tokens_cached_total",
      "The same, by llama-server's name",
      ["model"],
    );
    this.#promptSeconds = counter(
      "llamacpp:prompt_seconds_total",
      "Time from the start of a prompt to its first token",
      ["model"],
    );
    this.#answerTokens = counter("llamacpp:tokens_predicted_total", "Tokens written", ["model"]);
    this.#answerSeconds = counter(
      "llamacpp:tokens_predicted_seconds_total",
      "Time from the first token to the last",
      ["model"],
    );
    this.#answers = counter("hearth_answers_total", "Answers by the reason for their end", [
      "model",
      "finish_reason",
    ]);
    this.#requests = counter("hearth_requests_total", "HTTP requests", ["route", "status"]);
    this.#firstToken = new Histogram({
      name: "hearth_prompt_seconds",
      help: "Time from the start of a prompt to its first token",
      labelNames: ["model"],
      buckets: firstTokenBuckets,
      registers,
    });
    new Gauge({
      name: "llamacpp:requests_processing",
      help: "Requests that hold a model",
      registers,
      collect() {
        this.set(models.loaded().reduce((sum, { leases }) => sum + leases, 0));
      },
    });
    const rates = this.#rates;
    const longest = (): Tokens => this.#longest;
    const gauge = (name: string, help: string, value: () => number): void => {
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(value());
        },
      });
    };
    gauge("llamacpp:requests_deferred", "Answers that wait for a place", () =>
      models.loaded().reduce((sum, { engine }) => sum + engine.activity.waiting, 0),
    );
    gauge("llamacpp:n_tokens_max", "Tokens of the longest prompt with its answer", longest);
    gauge("llamacpp:prompt_tokens_seconds", "Prompt tokens read in a second", () => rates.prompt);
    gauge("llamacpp:predicted_tokens_seconds", "Tokens written in a second", () => rates.answer);
    new Gauge({
      name: "hearth_models_loaded",
      help: "Models that are loaded",
      registers,
      collect() {
        this.set(models.loaded().length);
      },
    });
  }

  countAnswer(model: string, result: GenerationResult): void {
    const { promptTokens, cachedTokens, completionTokens, finishReason, timings } = result;
    const promptSeconds = timings.promptMilliseconds / 1000;
    this.#promptTokens.inc({ model }, promptTokens - cachedTokens);
    this.#cachedTokens.inc({ model }, cachedTokens);
    this.#llamaCachedTokens.inc({ model }, cachedTokens);
    this.#rates.count(result);
    this.#longest = Math.max(this.#longest, promptTokens + completionTokens);
    this.#promptSeconds.inc({ model }, promptSeconds);
    this.#answerTokens.inc({ model }, completionTokens);
    this.#answerSeconds.inc({ model }, timings.decodeMilliseconds / 1000);
    this.#answers.inc({ model, finish_reason: finishReason });
    if (completionTokens > 0) this.#firstToken.observe({ model }, promptSeconds);
  }

  countEmbeddings(model: string, tokens: number): void {
    this.#promptTokens.inc({ model }, tokens);
  }

  /** `route`: its pattern, so that foreign paths make no labels. */
  countRequest(route: string, status: number): void {
    this.#requests.inc({ route, status: String(status) });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** In Prometheus' text format. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
