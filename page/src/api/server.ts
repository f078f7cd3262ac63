/** Requests to the server that the page came from, with the key where one is wanted. Every failure is a ServerError. */
import { EventReader } from "./event-reader.ts";
import { type Failure, failureOf, ServerError } from "./failures.ts";

export interface Asking {
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
  /** A reader that looks at the answer. */
  readonly watch?: string | undefined;
}

export class Server {
  readonly #base: string;
  /** Sent with every request. */
  key: string | undefined;

  /** `base`: the address of the page, below which the server's paths lie. */
  constructor(base: string, key: string | undefined) {
    this.#base = base;
    this.key = key;
  }

  /** @throws ServerError; what `signal` aborts with */
  async json(path: string, asking: Asking = {}): Promise<unknown> {
    const response = await this.#ask(path, asking);
    try {
      return await response.json();
    } catch (error) {
      throw failed(error, asking.signal, { kind: "away" });
    }
  }

  /** A GET whatever its status; undefined: nobody answers. */
  async look(path: string): Promise<{ readonly ok: boolean; readonly body: unknown } | undefined> {
    try {
      const response = await fetch(this.#address(path), { cache: "no-store" });
      return { ok: response.ok, body: await response.json() };
    } catch {
      return undefined;
    }
  }

  /** The values of a stream of events, to its end. @throws ServerError; what `signal` aborts with */
  async *events(path: string, asking: Asking): AsyncGenerator<unknown> {
    const response = await this.#ask(path, asking);
    const reader = response.body?.getReader();
    const decoder = new TextDecoder();
    const events = new EventReader();
    try {
      for (;;) {
        const piece = await reader?.read();
        if (piece === undefined || piece.done) break;
        for (const data of events.push(decoder.decode(piece.value, { stream: true }))) {
          if (data === "[DONE]") return;
          yield JSON.parse(data);
        }
      }
    } catch (error) {
      throw failed(error, asking.signal, { kind: "broken", message: undefined });
    } finally {
      reader?.cancel().catch(() => undefined);
    }
    throw new ServerError({ kind: "broken", message: undefined });
  }

  /** Pieces of bytes, when the server has begun to answer. @throws ServerError; what `signal` aborts with */
  async bytes(path: string, asking: Asking): Promise<AsyncIterable<Uint8Array>> {
    const response = await this.#ask(path, asking);
    return piecesOf(response.body?.getReader());
  }

  #address(path: string): string {
    return new URL(path, this.#base).href;
  }

  async #ask(path: string, { body, signal, watch }: Asking): Promise<Response> {
    const { key } = this;
    let response: Response;
    try {
      response = await fetch(this.#address(path), {
        cache: "no-store",
        headers: {
          ...(body !== undefined && { "content-type": "application/json" }),
          ...(watch !== undefined && { "x-hearth-watch": watch }),
          ...(key !== undefined && { authorization: `Bearer ${key}` }),
        },
        ...(body !== undefined && { method: "POST", body: JSON.stringify(body) }),
        ...(signal && { signal }),
      });
    } catch (error) {
      throw failed(error, signal, { kind: "away" });
    }
    if (response.ok) return response;
    const text = await response.text().catch(() => "");
    const { status, headers } = response;
    const retryAfter = headers.get("retry-after");
    throw new ServerError(failureOf({ status, retryAfter, body: text, hadKey: key !== undefined }));
  }
}

async function* piecesOf(
  reader: ReadableStreamDefaultReader<Uint8Array> | undefined,
): AsyncGenerator<Uint8Array> {
  try {
    for (let piece = await reader?.read(); piece?.value; piece = await reader?.read())
      yield piece.value;
  } finally {
    reader?.cancel().catch(() => undefined);
  }
}

/** What was stopped by the person is no failure. */
function failed(error: unknown, signal: AbortSignal | undefined, failure: Failure): unknown {
  if (error instanceof ServerError || signal?.aborted) return error;
  return new ServerError(failure);
}
