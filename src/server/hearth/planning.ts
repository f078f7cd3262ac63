/**
 * Plans for pages: made one at a time in a thread of their own, so that running answers go on, and kept for whoever asks
 * the same again. A question that nobody waits for any more is dropped before its turn; few may wait.
 */
import { statSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { builtModule } from "../../core/package-root.ts";
import type { BudgetPlansOptions, PlannableMachine, PlannableOptions } from "../../index.ts";
import { failureOf, RequestError } from "../errors.ts";
import { answerPlanQuestion, type PlanQuestion, type PlanReply } from "./plan-question.ts";

/** A person at a slider asks for one at a time; each open page may have one waiting. */
const mostWaiting = 16;
/** Some 100 kB each: a dozen contexts of half a dozen machines. */
const mostKept = 72;
/** The thread holds some 50 MB; it is started again in a tenth of a second. */
const idleTime = 60_000;

interface Question {
  readonly key: string;
  readonly asked: PlanQuestion;
  /** How many wait for it. */
  waiting: number;
  readonly answer: Promise<object>;
  settle(reply: PlanReply): void;
}

export class Planning {
  /** In the order in which they were last asked for. */
  readonly #kept = new Map<string, object>();
  readonly #questions = new Map<string, Question>();
  #running: Promise<void> | undefined;
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;

  /** @throws as budgets */
  machines(options: PlannableOptions, signal: AbortSignal): Promise<readonly PlannableMachine[]> {
    const asked = { kind: "machines", options } as const;
    return this.#ask("machines", asked, signal) as Promise<readonly PlannableMachine[]>;
  }

  /** @throws RequestError: what planBudgets says, or that too many wait; the signal's reason */
  budgets(path: string, options: BudgetPlansOptions, signal: AbortSignal): Promise<object> {
    const files = [path, options.sidecar ?? sidecarBeside(path)].map(stateOf);
    const key = JSON.stringify([path, files, options]);
    return this.#ask(key, { kind: "budgets", path, options }, signal);
  }

  /** Who still waits hears that the server is ending. */
  async close(): Promise<void> {
    clearTimeout(this.#idle);
    const ending = new RequestError("unavailable", "the server is ending");
    for (const question of this.#questions.values())
      question.settle({ kind: "failure", failure: ending.failure });
    this.#questions.clear();
    await this.#worker?.terminate();
    this.#worker = undefined;
  }

  async #ask(key: string, asked: PlanQuestion, signal: AbortSignal): Promise<object> {
    signal.throwIfAborted();
    const kept = this.#kept.get(key);
    if (kept !== undefined) {
      this.#keep(key, kept);
      return kept;
    }
    const question = this.#questions.get(key) ?? this.#add(key, asked);
    question.waiting++;
    this.#running ??= this.#run();
    return await new Promise((resolve, reject) => {
      const leave = (): void => {
        question.waiting--;
        reject(signal.reason);
      };
      signal.addEventListener("abort", leave, { once: true });
      question.answer
        .then(resolve, reject)
        .finally(() => signal.removeEventListener("abort", leave));
    });
  }

  #add(key: string, asked: PlanQuestion): Question {
    if (this.#questions.size >= mostWaiting) {
      const message = `${mostWaiting} plans are waited for already; ask again`;
      throw new RequestError("busy", message, { retryAfterSeconds: 2 });
    }
    const { promise, settle } = settled();
    const question = { key, asked, waiting: 0, answer: promise, settle };
    this.#questions.set(key, question);
    return question;
  }

  /** Until there is no question any more. */
  async #run(): Promise<void> {
    clearTimeout(this.#idle);
    for (const question of this.#questions.values()) {
      if (question.waiting > 0) {
        const reply = await this.#answer(question.asked);
        if (reply.kind === "answer") this.#keep(question.key, reply.value);
        question.settle(reply);
      }
      this.#questions.delete(question.key);
    }
    this.#running = undefined;
    this.#idle = setTimeout(() => this.#rest(), idleTime).unref();
  }

  #rest(): void {
    void this.#worker?.terminate();
    this.#worker = undefined;
  }

  async #answer(asked: PlanQuestion): Promise<PlanReply> {
    const module = builtModule("server/hearth/plan-worker.js");
    // From sources, as in tests, there is no thread to start.
    if (module === undefined) return await answerHere(asked);
    const worker = this.#worker ?? this.#start(module);
    return await new Promise((resolve) => {
      const end = (reply: PlanReply): void => {
        worker.off("message", end).off("error", onError).off("exit", onExit);
        resolve(reply);
      };
      const lost = (reason: string): void => {
        const { failure } = new RequestError("internal", `the planning thread ended: ${reason}`);
        end({ kind: "failure", failure });
      };
      const onError = (error: Error): void => lost(error.message);
      const onExit = (code: number): void => lost(`code ${code}`);
      worker.on("message", end).on("error", onError).on("exit", onExit);
      worker.postMessage(asked);
    });
  }

  #start(module: URL): Worker {
    const worker = new Worker(module);
    const forget = (): void => {
      if (this.#worker === worker) this.#worker = undefined;
    };
    worker.on("error", forget).on("exit", forget).unref();
    this.#worker = worker;
    return worker;
  }

  #keep(key: string, value: object): void {
    this.#kept.delete(key);
    this.#kept.set(key, value);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > mostKept && oldest !== undefined) this.#kept.delete(oldest);
  }
}

function settled(): { readonly promise: Promise<object>; settle(reply: PlanReply): void } {
  let settle = (_: PlanReply): void => undefined;
  const promise = new Promise<object>((resolve, reject) => {
    settle = (reply) => {
      if (reply.kind === "answer") resolve(reply.value);
      else reject(new RequestError(reply.failure.kind, reply.failure.message, reply.failure));
    };
  });
  // Who asked may have gone.
  promise.catch(() => undefined);
  return { promise, settle: (reply) => settle(reply) };
}

async function answerHere(asked: PlanQuestion): Promise<PlanReply> {
  try {
    return { kind: "answer", value: await answerPlanQuestion(asked) };
  } catch (error) {
    return { kind: "failure", failure: failureOf(error) };
  }
}

function sidecarBeside(path: string): string {
  return path.replace(/\.gguf$/i, ".sparsity.gguf");
}

/** Another state of a file makes other plans. */
function stateOf(path: string): readonly number[] {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? [] : [stat.size, stat.mtimeMs];
}
