/** Events of an answer in their order, until they are taken. */
import type { WrittenCall } from "./call-syntax.ts";
import type { ReplyEvent } from "./reply.ts";

export class EventLog {
  readonly #idOf: (index: number) => string;
  #events: ReplyEvent[] = [];
  #calls = 0;

  /** `idOf`: the id of a call to which the model gave none, by its place among the calls. */
  constructor(idOf: (index: number) => string) {
    this.#idOf = idOf;
  }

  add(kind: "content" | "reasoning", text: string): void {
    if (text !== "") this.#events.push({ kind, text });
  }

  addNotice(text: string): void {
    this.#events.push({ kind: "notice", text });
  }

  addCalls(calls: readonly WrittenCall[]): void {
    for (const { id, name, arguments: text } of calls) {
      const index = this.#calls++;
      this.#events.push(
        { kind: "call", index, id: id ?? this.#idOf(index), name },
        { kind: "arguments", index, text },
        { kind: "call-end", index },
      );
    }
  }

  take(): readonly ReplyEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }
}
