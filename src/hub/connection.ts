/**
 * Requests to the hub and to where it redirects: proxies of the environment (HTTP_PROXY, HTTPS_PROXY, NO_PROXY), the token to
 * the hub alone, and another try where one can help. Node's own fetch has no proxies before Node 24; undici's agent does.
 */
import { setTimeout as pause } from "node:timers/promises";
import { HubError } from "../core/errors.ts";
import type { Milliseconds } from "../core/units.ts";
import { ownVersion } from "../core/version.ts";
import { refusal, requestFailed } from "./refusal.ts";
import type { HubResponse } from "./response.ts";
import type { HubSettings } from "./settings.ts";

export interface HubRequest {
  readonly method?: "GET" | "HEAD" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal?: AbortSignal | undefined;
  /** "manual": a redirect is the answer. */
  readonly redirect?: "follow" | "manual";
}

/** Without an answer, or without a byte of one: the line is dead. huggingface_hub waits 10 s; CDNs may think longer. */
const silence: Milliseconds = 30_000;
/** Tries in a row that bring nothing before a request is given up: with pauses of 1, 2, 4, 8 and 16 s about half a minute. */
export const maxTries = 6;
/** Where nothing answers at all, a question is given up sooner: three seconds tell a user that the line is down. */
const maxUnanswered = 3;
const longestPause: Milliseconds = 30_000;

export interface ConnectionOptions {
  /** Before a second try; each further one waits twice as long. Default 1000. */
  readonly firstPause?: Milliseconds;
  /** Hears, in a sentence, of a pause that the hub asked for and that a user would wonder about. */
  readonly onNotice?: ((notice: string) => void) | undefined;
}

export class HubConnection {
  readonly settings: HubSettings;
  readonly #options: ConnectionOptions;
  #client: Promise<Client> | undefined;

  constructor(settings: HubSettings, options: ConnectionOptions = {}) {
    this.settings = settings;
    this.#options = options;
  }

  /** Closes connections that are kept open for a next request. */
  [Symbol.dispose](): void {
    void this.#client?.then(({ close }) => close());
  }

  /**
   * One try. Any HTTP status is an answer.
   * @throws HubError where none came; the signal's reason when it is aborted.
   */
  async send(hubAddress: string, request: HubRequest = {}): Promise<HubResponse> {
    const { settings } = this;
    const address = onMirror(hubAddress, settings.endpoint);
    if (settings.isOffline) {
      throw new HubError(
        "HF_HUB_OFFLINE is set, so nothing is asked of the hub; unset it, or take what is in the cache",
        { address },
      );
    }
    this.#client ??= openClient();
    const { send } = await this.#client;
    const headers = { ...this.#ownHeaders(address), ...request.headers };
    try {
      return await send(address, { ...request, headers });
    } catch (error) {
      request.signal?.throwIfAborted();
      throw requestFailed(address, error);
    }
  }

  /** Tries again after cut lines, 408, 429 and 5xx. @throws HubError for what is refused or does not get better */
  async ask(address: string, request: HubRequest = {}): Promise<HubResponse> {
    for (let tries = 1; ; tries++) {
      const answer = await this.send(address, request).catch((error: unknown) => {
        if (error instanceof HubError && !this.settings.isOffline && tries < maxUnanswered)
          return error;
        throw error;
      });
      if (!(answer instanceof HubError)) {
        if (answer.ok || isRedirect(answer.status)) return answer;
        if (!isPassing(answer.status) || tries >= maxTries) {
          throw await refusal(address, answer, this.settings);
        }
        await answer.body?.cancel();
      }
      const asked = answer instanceof HubError ? 0 : askedPause(answer);
      await this.pauseBefore(tries + 1, { asked, signal: request.signal });
    }
  }

  /** Waits before the `tries`-th try, or as long as the hub asked. */
  async pauseBefore(
    tries: number,
    {
      asked = 0,
      signal,
    }: { readonly asked?: Milliseconds; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<void> {
    const { firstPause = 1000, onNotice } = this.#options;
    const ownPause = Math.min(firstPause * 2 ** (tries - 2), longestPause);
    const milliseconds = Math.max(ownPause, Math.min(asked, longestAskedPause));
    if (asked >= toldPause) {
      onNotice?.(
        `the hub asks for a pause of ${Math.ceil(milliseconds / 1000)} s, after many requests from here`,
      );
    }
    await pause(milliseconds, undefined, signal === undefined ? {} : { signal }).catch((error) => {
      signal?.throwIfAborted();
      throw error;
    });
  }

  #ownHeaders(address: string): Record<string, string> {
    const { endpoint, token } = this.settings;
    const isHub = new URL(address).origin === new URL(endpoint).origin;
    return {
      "user-agent": `hearth/${ownVersion()}`,
      // Sizes and ranges count the bytes of the file, not of a compressed answer.
      "accept-encoding": "identity",
      ...(isHub && token !== undefined && { authorization: `Bearer ${token}` }),
    };
  }
}

interface Client {
  send(address: string, request: HubRequest): Promise<HubResponse>;
  close(): Promise<void>;
}

/** undici is loaded with the first request: most programs make none, and it takes as long as all of the rest. */
async function openClient(): Promise<Client> {
  const { EnvHttpProxyAgent, fetch } = await import("undici");
  const dispatcher = new EnvHttpProxyAgent({
    connect: { timeout: silence },
    headersTimeout: silence,
    bodyTimeout: silence,
  });
  return {
    send: (address, { method = "GET", headers = {}, body, signal, redirect = "follow" }) =>
      fetch(address, {
        method,
        headers,
        body: body ?? null,
        signal: signal ?? null,
        redirect,
        dispatcher,
      }),
    close: () => dispatcher.destroy(),
  };
}

/** The hub counts requests over five minutes. */
const longestAskedPause: Milliseconds = 301_000;
/** A shorter one is not worth a word. */
const toldPause: Milliseconds = 5000;

/**
 * How long the hub asks to wait: Retry-After, in seconds or as a date, or where its RateLimit says that none are left, until its
 * window ends: `"resolvers";r=0;t=55`. Source: draft-ietf-httpapi-ratelimit-headers-09, and what the hub's documentation
 * (Hub rate limits) says of it. A second more than the whole ones that the hub says.
 */
export function askedPause({ headers }: Pick<HubResponse, "headers">): Milliseconds {
  const [, left] = /;\s*r\s*=\s*0\s*;\s*t\s*=\s*(\d+)/.exec(headers.get("ratelimit") ?? "") ?? [];
  if (left !== undefined) return 1000 * (Number(left) + 1);
  const text = headers.get("retry-after");
  if (text === null) return 0;
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? 0 : Math.max(0, date - Date.now());
}

const ownEndpoint = "https://huggingface.co";

/** A mirror's answers may name the hub itself: the next page of a listing. It may not be reachable from here. */
function onMirror(address: string, endpoint: string): string {
  return address.startsWith(`${ownEndpoint}/`)
    ? endpoint + address.slice(ownEndpoint.length)
    : address;
}

export function isRedirect(status: number): boolean {
  return [301, 302, 303, 307, 308].includes(status);
}

/** What may be otherwise in a moment. */
export function isPassing(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}
