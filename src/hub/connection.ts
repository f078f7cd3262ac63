/**
 * Requests to the hub and to where it redirects: proxies of the environment (HTTP_PROXY, HTTPS_PROXY, NO_PROXY), the token to
 * the hub alone, and another try where one can help. Node's own fetch has no proxies before Node 24; undici's agent does.
 */
import { setTimeout as pause } from "node:timers/promises";
import { HubError } from "../core/errors.ts";
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

/** Milliseconds without an answer, or without a byte of one: the line is dead. huggingface_hub waits 10 s; CDNs may think longer. */
const silence = 30_000;
/** Tries in a row that bring nothing before a request is given up: with pauses of 1, 2, 4, 8 and 16 s about half a minute. */
export const maxTries = 6;
/** Where nothing answers at all, a question is given up sooner: three seconds tell a user that the line is down. */
const maxUnanswered = 3;
const longestPause = 30_000;

export class HubConnection {
  readonly settings: HubSettings;
  readonly #firstPause: number;
  #client: Promise<Client> | undefined;

  /** `firstPause`: milliseconds before a second try; each further one waits twice as long. */
  constructor(settings: HubSettings, firstPause = 1000) {
    this.settings = settings;
    this.#firstPause = firstPause;
  }

  /** Closes connections that are kept open for a next request. */
  [Symbol.dispose](): void {
    void this.#client?.then(({ close }) => close());
  }

  /**
   * One try. Any HTTP status is an answer.
   * @throws HubError where none came; the signal's reason when it is aborted.
   */
  async send(address: string, request: HubRequest = {}): Promise<HubResponse> {
    const { settings } = this;
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
      const asked = answer instanceof HubError ? undefined : answer.headers.get("retry-after");
      await this.pauseBefore(tries + 1, { asked, signal: request.signal });
    }
  }

  /** Waits before the `tries`-th try, or as long as the hub asks in Retry-After. */
  async pauseBefore(
    tries: number,
    {
      asked,
      signal,
    }: {
      readonly asked?: string | null | undefined;
      readonly signal?: AbortSignal | undefined;
    } = {},
  ): Promise<void> {
    const ownPause = Math.min(this.#firstPause * 2 ** (tries - 2), longestPause);
    const milliseconds = Math.max(ownPause, Math.min(retryAfter(asked), longestRetryAfter));
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
const longestRetryAfter = 300_000;

/** Seconds, or a date. */
function retryAfter(text: string | null | undefined): number {
  if (text === null || text === undefined) return 0;
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? 0 : Math.max(0, date - Date.now());
}

export function isRedirect(status: number): boolean {
  return [301, 302, 303, 307, 308].includes(status);
}

/** What may be otherwise in a moment. */
export function isPassing(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}
