/**
 * Readers that look at answers while these are written: each waits under a name that it chose, and the next answer whose
 * request bears that name is shown to it. A reader that is slower than the answer misses tokens; it never holds it up.
 */
import type { ServerResponse } from "node:http";
import type { Bytes } from "../../core/units.ts";
import type { Engine, ShowNeurons, ShownToken } from "../../index.ts";
import { RequestError } from "../errors.ts";
import { endFrame, factsFrame, tokenFrame } from "./frames.ts";

/** The header of an answer's request that names the reader. */
export const watchHeader = "x-hearth-watch";

/** At once; each may hold `maxUnread` bytes. */
const maxWatches = 32;
/** Of frames that the reader has not taken. */
const maxUnread: Bytes = 4 << 20;
/** Of the time of writing: a quarter is reached only where tokens take less than half a millisecond. */
export const usualTimeShare = 0.25;

export class NeuronWatches {
  readonly #waiting = new Map<string, NeuronWatch>();
  #count = 0;

  /** The reader's response has begun. Its watch ends when it has gone, or with the answer. @throws RequestError */
  open(name: string, response: ServerResponse, timeShare: number): void {
    const watch = new NeuronWatch(response, timeShare);
    this.#waiting.set(name, watch);
    this.#count++;
    response.once("close", () => {
      this.#count--;
      if (this.#waiting.get(name) === watch) this.#waiting.delete(name);
    });
  }

  /** @throws RequestError where one more reader may not come, or another one waits under this name */
  requireRoom(name: string): void {
    if (this.#waiting.has(name)) {
      throw new RequestError(
        "invalid request",
        "another reader waits under this name; choose another",
      );
    }
    if (this.#count < maxWatches) return;
    const message = `${maxWatches} readers look at answers already; close one of them`;
    throw new RequestError("busy", message);
  }

  /** The server ends: who waits for an answer gets none. */
  close(): void {
    for (const watch of this.#waiting.values()) watch[Symbol.dispose]();
  }

  /** The reader that waits for this request's answer; it waits for no other then. */
  claim(name: string | readonly string[] | undefined): NeuronWatch | undefined {
    if (typeof name !== "string") return undefined;
    const watch = this.#waiting.get(name);
    this.#waiting.delete(name);
    return watch;
  }
}

export class NeuronWatch implements Disposable {
  readonly #response: ServerResponse;
  readonly #timeShare: number;
  #texts: ReturnType<Engine["tokenizer"]["createDetokenizer"]> | undefined;
  #widths: readonly number[] = [];
  /** Texts of tokens that no frame has brought. */
  #before: string[] = [];
  #dropped = 0;
  #bytes: Bytes = 0;
  /** Tokens that it was told of. */
  #tokens = 0;

  constructor(response: ServerResponse, timeShare: number) {
    this.#response = response;
    this.#timeShare = timeShare;
  }

  /** For the options of the answer. */
  begin(model: string, engine: Engine): ShowNeurons {
    const facts = engine.neurons;
    this.#texts = engine.tokenizer.createDetokenizer();
    this.#widths = facts.layers.map(({ neurons, experts }) => experts?.count ?? neurons);
    this.#write(factsFrame(model, facts));
    return { timeShare: this.#timeShare, onToken: (token) => this.#show(token) };
  }

  /** `tokens`: of the whole answer. */
  end(tokens: readonly number[]): void {
    for (const token of tokens.slice(this.#tokens)) this.#before.push(this.#textOf(token));
    this.#write(endFrame(this.#before, this.#counts));
    this.#response.end();
  }

  /** Of a request that came to no answer. */
  [Symbol.dispose](): void {
    if (this.#texts === undefined) this.end([]);
  }

  get #counts(): { readonly dropped: number; readonly bytes: Bytes } {
    return { dropped: this.#dropped, bytes: this.#bytes };
  }

  #show(token: ShownToken): void {
    if (this.#response.destroyed) return;
    for (const skipped of token.skipped) this.#before.push(this.#textOf(skipped));
    this.#tokens = token.index + 1;
    const text = this.#textOf(token.token);
    if (this.#response.writableLength > maxUnread) {
      this.#dropped++;
      this.#before.push(text);
      return;
    }
    const texts = { before: this.#before, text };
    this.#before = [];
    this.#write(tokenFrame(token, texts, this.#counts, this.#widths));
  }

  #textOf(token: number): string {
    const texts = this.#texts;
    return texts === undefined ? "" : texts.push(token) + texts.hiddenText(token);
  }

  #write(frame: Buffer): void {
    this.#bytes += frame.length;
    if (!this.#response.destroyed) this.#response.write(frame);
  }
}
