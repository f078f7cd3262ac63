/** What can go wrong between the page and the server, as the page tells it apart: each kind is shown in its own way. */

export type Failure =
  /** Nobody answers at the server's address. */
  | { readonly kind: "away" }
  /** A key is wanted; `isWrong`: another one than was sent. */
  | { readonly kind: "locked"; readonly isWrong: boolean }
  /** Tokens of the conversation and of the context. */
  | { readonly kind: "context"; readonly prompt: number; readonly context: number }
  /** It is worth asking again after so many seconds. */
  | { readonly kind: "busy"; readonly seconds: number; readonly message: string }
  /** The model cannot be loaded, the server ends, a device is lost. */
  | { readonly kind: "unavailable"; readonly message: string }
  /** The request cannot be answered as it is. */
  | { readonly kind: "refused"; readonly message: string }
  /** The answer stopped in its middle; `message`: what the server said, if it still could. */
  | { readonly kind: "broken"; readonly message: string | undefined };

export class ServerError extends Error {
  override readonly name = "ServerError";
  readonly failure: Failure;
  constructor(failure: Failure) {
    super("message" in failure ? failure.message : failure.kind);
    this.failure = failure;
  }
}

export interface FailedResponse {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly body: string;
  /** Whether a key was sent. */
  readonly hadKey: boolean;
}

/** Of a response that is no success. */
export function failureOf({ status, retryAfter, body, hadKey }: FailedResponse): Failure {
  const error = errorIn(body);
  const message = error.message ?? `${status}`;
  if (status === 401) return { kind: "locked", isWrong: hadKey };
  if (error.prompt !== undefined && error.context !== undefined)
    return { kind: "context", prompt: error.prompt, context: error.context };
  const seconds = Number(retryAfter ?? Number.NaN);
  if ((status === 429 || status === 503) && seconds > 0) return { kind: "busy", seconds, message };
  if (status >= 500) return { kind: "unavailable", message };
  return { kind: "refused", message };
}

/** Of an event in the middle of an answer; undefined: it is no failure. */
export function failureInStream(event: unknown): Failure | undefined {
  const error = recordIn(event, "error");
  if (error === undefined) return undefined;
  const { message } = error;
  return { kind: "broken", message: typeof message === "string" ? message : undefined };
}

interface ErrorBody {
  readonly message?: string;
  readonly prompt?: number;
  readonly context?: number;
}

function errorIn(body: string): ErrorBody {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return {};
  }
  const error = recordIn(value, "error") ?? {};
  const { message, n_prompt_tokens: prompt, n_ctx: context } = error;
  return {
    ...(typeof message === "string" && { message }),
    ...(typeof prompt === "number" && { prompt }),
    ...(typeof context === "number" && { context }),
  };
}

/** A record that stands under a name in a record. */
export function recordIn(value: unknown, name: string): Record<string, unknown> | undefined {
  const found = isRecord(value) ? value[name] : undefined;
  return isRecord(found) ? found : undefined;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
