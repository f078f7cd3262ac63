/**
 * The bytes of a file on the hub, from anywhere to anywhere, whatever the line does: a cut line is taken up where it was cut. The
 * hub redirects to a store of contents (a CDN) with a signed address that holds for about an hour; it is kept, and asked for
 * again when it has run out.
 */
import { HubError } from "../core/errors.ts";
import type { Bytes, Milliseconds } from "../core/units.ts";
import { visibleText } from "../core/visible-text.ts";
import { askedPause, type HubConnection, isPassing, isRedirect, maxTries } from "./connection.ts";
import type { HubFile } from "./hub-file.ts";
import { refusal, requestFailed } from "./refusal.ts";
import type { HubResponse } from "./response.ts";

/** The bytes [begin, end). */
export interface ByteSpan {
  readonly begin: Bytes;
  readonly end: Bytes;
}

/** The hub itself redirects once, for a renamed repository twice. */
const maxRedirects = 5;

export class FileStream {
  readonly file: HubFile;
  readonly #connection: HubConnection;
  readonly #address: string;
  /** Where the hub redirected to. */
  #store: string | undefined;
  #servesParts = true;

  constructor(connection: HubConnection, file: HubFile) {
    this.file = file;
    this.#connection = connection;
    const path = file.path.split("/").map(encodeURIComponent).join("/");
    this.#address = `${connection.settings.endpoint}/${file.repository}/resolve/${file.revision}/${path}`;
  }

  /** False once a server has sent the whole file for a part of it: then one stream from the beginning is the fastest. */
  get servesParts(): boolean {
    return this.#servesParts;
  }

  /** Finds where the content is and whether parts of it are served, before several connections ask for it. */
  async probe(signal?: AbortSignal): Promise<void> {
    const first = this.read({ begin: 0, end: 1 }, signal);
    await first.next();
    await first.return(undefined);
  }

  /** Exactly the bytes of the span. @throws HubError when they do not come, the signal's reason when it is aborted */
  async *read(span: ByteSpan, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    let at = span.begin;
    for (let tries = 1; at < span.end; tries++) {
      let problem: HubError;
      let asked: Milliseconds = 0;
      try {
        for await (const piece of this.#readOnce({ begin: at, end: span.end }, signal)) {
          tries = 0;
          at += piece.length;
          yield piece;
        }
        if (at === span.end) return;
        problem = requestFailed(this.#address, new Error("the line was cut"));
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof PassingTrouble)) throw error;
        problem = error.trouble;
        asked = error.askedPause;
      }
      if (tries >= maxTries) throw problem;
      await this.#connection.pauseBefore(tries + 1, { asked, signal });
    }
  }

  async *#readOnce(span: ByteSpan, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
    const answer = await this.#open(span, signal);
    // Of a whole file that was sent for a part of it.
    let before = answer.status === 206 ? 0 : span.begin;
    let left = span.end - span.begin;
    const pieces = answer.body?.[Symbol.asyncIterator]();
    if (pieces === undefined) return;
    try {
      while (left > 0) {
        const { done, value } = await pieces.next().catch((error: unknown) => {
          throw new PassingTrouble(requestFailed(this.#address, error));
        });
        if (done) return;
        const piece: Uint8Array = value.subarray(before, before + left);
        before = Math.max(0, before - value.length);
        left -= piece.length;
        if (piece.length > 0) yield piece;
      }
    } finally {
      await pieces.return?.().catch(() => {});
    }
  }

  /** An answer whose body has the span, or the whole file. */
  async #open(span: ByteSpan, signal: AbortSignal | undefined): Promise<HubResponse> {
    const headers = { range: `bytes=${span.begin}-${span.end - 1}` };
    let address = this.#store ?? this.#address;
    let isKept = this.#store !== undefined;
    for (let hops = 0; hops <= maxRedirects; hops++) {
      const answer = await this.#send(address, { headers, signal });
      if (isRedirect(answer.status)) {
        await answer.body?.cancel();
        address = this.#redirected(address, answer);
        isKept = false;
      } else if (isKept && [401, 403, 404, 410].includes(answer.status)) {
        await answer.body?.cancel();
        // The signature has run out. Another connection may have a new one already.
        if (this.#store === address) this.#store = undefined;
        isKept = this.#store !== undefined;
        address = this.#store ?? this.#address;
      } else {
        return await this.#check(address, answer, span);
      }
    }
    throw this.#nonsense(address, `more than ${maxRedirects} redirects`, 302);
  }

  async #send(
    address: string,
    request: {
      readonly headers: Readonly<Record<string, string>>;
      readonly signal: AbortSignal | undefined;
    },
  ): Promise<HubResponse> {
    try {
      return await this.#connection.send(address, { ...request, redirect: "manual" });
    } catch (error) {
      request.signal?.throwIfAborted();
      if (error instanceof HubError && !this.#connection.settings.isOffline)
        throw new PassingTrouble(error);
      throw error;
    }
  }

  #redirected(from: string, answer: HubResponse): string {
    const target = answer.headers.get("location") ?? "";
    if (!URL.canParse(target, from))
      throw this.#nonsense(from, `a redirect to "${target}"`, answer.status);
    const { href, origin } = new URL(target, from);
    if (origin !== new URL(this.#address).origin) this.#store = href;
    return href;
  }

  async #check(address: string, answer: HubResponse, span: ByteSpan): Promise<HubResponse> {
    const { size } = this.file;
    if (answer.status === 200) {
      this.#servesParts = span.begin === 0 && span.end === size && this.#servesParts;
      return answer;
    }
    if (answer.status === 206) {
      const expected = `bytes ${span.begin}-${span.end - 1}/${size}`;
      const found = answer.headers.get("content-range");
      if (found === expected) return answer;
      await answer.body?.cancel();
      throw this.#nonsense(address, `the part "${found}" in place of "${expected}"`, 206);
    }
    const trouble = await refusal(address, answer, this.#connection.settings);
    if (!isPassing(answer.status)) throw trouble;
    throw new PassingTrouble(trouble, askedPause(answer));
  }

  #nonsense(address: string, found: string, status: number): HubError {
    return new HubError(`${visibleText(address)}: the server answers with ${visibleText(found)}`, {
      address,
      status,
    });
  }
}

/** What may be gone at the next try. */
class PassingTrouble extends Error {
  readonly trouble: HubError;
  /** 0 where the hub asked for none. */
  readonly askedPause: Milliseconds;
  constructor(trouble: HubError, askedPause: Milliseconds = 0) {
    super(trouble.message);
    this.trouble = trouble;
    this.askedPause = askedPause;
  }
}
