/** The rows of a step that belong to embeddings: what all of them are behind the last norm is read, and no output. */
import type { Tokens } from "../core/units.ts";
import type { ActiveEmbedding } from "./embedding.ts";
import type { Session } from "./session.ts";

/** Rows of a step, one after the other. */
interface Rows {
  readonly embedding: ActiveEmbedding;
  readonly first: number;
  readonly count: Tokens;
}

export class EmbeddedRows {
  readonly #session: Session;
  readonly #rows: Rows[] = [];

  constructor(session: Session) {
    this.#session = session;
  }

  /** Whether the step has any. */
  get wanted(): "read" | "unread" {
    return this.#rows.length > 0 ? "read" : "unread";
  }

  /** Adds the next `count` tokens to the step. */
  add(embedding: ActiveEmbedding, sequence: number, count: Tokens): void {
    this.#rows.push({ embedding, first: this.#session.rowCount, count });
    for (let row = 0; row < count; row++) this.#session.add(sequence, embedding.takePending());
  }

  /** When the step has run: each embedding gets its rows. */
  accept(): void {
    for (const { embedding, first, count } of this.#rows) {
      embedding.acceptRows(this.#session.rows(first, count), count);
    }
    this.#rows.length = 0;
  }
}
