/** Other tabs of this page: they hear what changed here, and which answers are being written in which of them. */
import { type Signal, signal } from "@preact/signals";
import { newId } from "./conversation.ts";

type Said =
  | { readonly kind: "changed" }
  /** All that this tab writes, by the ids of messages. */
  | { readonly kind: "writes"; readonly tab: string; readonly ids: readonly string[] }
  /** A tab that was just opened: the others say what they write. */
  | { readonly kind: "opened" };

export class Tabs {
  readonly #channel = new BroadcastChannel("hearth");
  readonly #name: string = newId();
  #own: readonly string[] = [];
  readonly #others: Signal<ReadonlyMap<string, readonly string[]>> = signal(new Map());
  #onChange = (): void => {};

  constructor() {
    this.#channel.onmessage = ({ data }: MessageEvent<Said>) => this.#hear(data);
    this.#say({ kind: "opened" });
    // What a page that goes away was writing ends there.
    addEventListener("pagehide", () => this.write([]));
  }

  /** Called when another tab changed what is kept. */
  onChange(listener: () => void): void {
    this.#onChange = listener;
  }

  changed(): void {
    this.#say({ kind: "changed" });
  }

  /** The answers that are being written in this tab from now on. */
  write(ids: readonly string[]): void {
    if (ids.length === 0 && this.#own.length === 0) return;
    this.#own = ids;
    this.#say({ kind: "writes", tab: this.#name, ids });
  }

  /** Whether another tab writes this message. */
  isWritten(id: string): boolean {
    return [...this.#others.value.values()].some((ids) => ids.includes(id));
  }

  #hear(said: Said): void {
    if (said.kind === "changed") this.#onChange();
    else if (said.kind === "writes")
      this.#others.value = new Map(this.#others.value).set(said.tab, said.ids);
    else if (this.#own.length > 0) this.#say({ kind: "writes", tab: this.#name, ids: this.#own });
  }

  #say(said: Said): void {
    this.#channel.postMessage(said);
  }
}
