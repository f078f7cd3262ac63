/** Whether the server is there and what it has: asked for seldom while all is well, often while something is awaited. */
import { type Signal, signal } from "@preact/signals";
import { isRecord, ServerError } from "./failures.ts";
import { type Model, modelFor, modelsIn } from "./models.ts";
import type { Server } from "./server.ts";

export type Condition =
  | { readonly kind: "connecting" }
  | { readonly kind: "ready" }
  | { readonly kind: "loading" }
  | { readonly kind: "failed"; readonly reason: string }
  | { readonly kind: "away" }
  | { readonly kind: "locked"; readonly isWrong: boolean };

/** In milliseconds: a model's progress is watched, a server that is away is tried again, all else can wait. */
const pauses = { watching: 400, awaiting: 1500, idle: 30_000 } as const;

export class Connection {
  readonly condition: Signal<Condition> = signal({ kind: "connecting" });
  readonly models: Signal<readonly Model[]> = signal([]);
  readonly #server: Server;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #looking: Promise<void> | undefined;
  /** Names of models that something waits for. */
  readonly #awaited = new Map<object, string | undefined>();

  constructor(server: Server) {
    this.#server = server;
  }

  /** Looks now, and again when it is due. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => void this.look(), this.#pause());
    });
    return this.#looking;
  }

  /** Follows how far a model is, until what this gives is called. `name`: undefined for the only one. */
  watchModel(name: string | undefined): () => void {
    const watch = {};
    this.#awaited.set(watch, name);
    void this.look();
    return () => this.#awaited.delete(watch);
  }

  async #look(): Promise<void> {
    const health = await this.#server.look("health");
    if (health === undefined) {
      this.#set({ kind: "away" });
      return;
    }
    try {
      setIfChanged(this.models, modelsIn(await this.#server.json("v1/models")));
      this.#set(health.ok ? { kind: "ready" } : conditionOf(health.body));
    } catch (error) {
      const failure = error instanceof ServerError ? error.failure : undefined;
      if (failure?.kind === "locked") this.#set(failure);
      else this.#set({ kind: "away" });
    }
  }

  #set(condition: Condition): void {
    setIfChanged(this.condition, condition);
  }

  #pause(): number {
    const models = this.models.value;
    const isLoading = models.some(({ status }) => status.kind === "loading");
    const isAwaited = [...this.#awaited.values()].some(
      (name) => modelFor(models, name)?.status.kind !== "loaded",
    );
    if (isLoading || isAwaited || this.condition.value.kind === "loading") return pauses.watching;
    return this.condition.value.kind === "ready" ? pauses.idle : pauses.awaiting;
  }
}

/** Signals compare by identity: what has not changed must draw nothing. */
function setIfChanged<Value>(target: Signal<Value>, value: Value): void {
  if (JSON.stringify(value) !== JSON.stringify(target.value)) target.value = value;
}

function conditionOf(body: unknown): Condition {
  const status = isRecord(body) ? body["status"] : undefined;
  if (status === "loading") return { kind: "loading" };
  const error = isRecord(body) && isRecord(body["error"]) ? body["error"] : {};
  if (status === "failed") return { kind: "failed", reason: String(error["message"] ?? "") };
  return { kind: "away" };
}
