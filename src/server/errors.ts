/**
 * What went wrong with a request, in one form: an HTTP status, a kind, a sentence. Each dialect writes its own body from
 * that. This table is the only place where an error becomes a status.
 */
import {
  DeviceError,
  FileAccessError,
  FileFormatError,
  FormError,
  HearthError,
  HubError,
  LimitError,
  NotFiniteError,
  OptionError,
  PromptTooLongError,
  QueueFullError,
  TemplateError,
  UnsupportedError,
} from "../index.ts";

export type FailureKind =
  /** The request cannot be answered as it is. */
  | "invalid request"
  /** The prompt is longer than the context. */
  | "context exceeded"
  | "not authenticated"
  | "not permitted"
  | "not found"
  /** The path knows other methods. */
  | "method not allowed"
  | "too large"
  /** Something valid that hearth does not have. */
  | "not supported"
  /** The queue is full. */
  | "busy"
  /** The server loads or ends, or a device is lost. */
  | "unavailable"
  | "internal";

const statusOf: Readonly<Record<FailureKind, number>> = {
  "invalid request": 400,
  "context exceeded": 400,
  "not authenticated": 401,
  "not permitted": 403,
  "not found": 404,
  "method not allowed": 405,
  "too large": 413,
  "not supported": 400,
  busy: 429,
  unavailable: 503,
  internal: 500,
};

export interface Failure {
  readonly kind: FailureKind;
  readonly status: number;
  /** One sentence: what was wrong, the value found, what to do. */
  readonly message: string;
  /** The field of the body that it is about: "messages[0].role". */
  readonly field?: string;
  /** When it is worth trying again. */
  readonly retryAfterSeconds?: number;
  /** Of a prompt that is too long. */
  readonly tokens?: { readonly prompt: number; readonly context: number };
}

/** What a handler throws to answer with a failure of its own. */
export class RequestError extends HearthError {
  override readonly name = "RequestError";
  readonly failure: Failure;
  constructor(
    kind: FailureKind,
    message: string,
    details: Partial<Pick<Failure, "field" | "retryAfterSeconds" | "status">> = {},
  ) {
    super(message);
    this.failure = { kind, status: statusOf[kind], message: this.message, ...details };
  }
}

/** @throws RequestError where a field asks for more than the server gives at once */
export function requireAtMost(field: string, value: number, most: number): void {
  if (value <= most) return;
  const message = `${field}: ${value} is more than this server gives at once, which is ${most}`;
  throw new RequestError("invalid request", message, { field });
}

/** The model that a request names could not be opened: nothing is wrong with the request. */
export class ModelLoadError extends HearthError {
  override readonly name = "ModelLoadError";
  constructor(model: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`the model ${model} cannot be loaded: ${reason}`, { cause });
  }
}

/** For each error that hearth throws; the first that fits counts. */
const kinds: readonly (readonly [new (...args: never[]) => Error, FailureKind])[] = [
  [PromptTooLongError, "context exceeded"],
  [QueueFullError, "busy"],
  [ModelLoadError, "unavailable"],
  [OptionError, "invalid request"],
  [FormError, "invalid request"],
  [TemplateError, "invalid request"],
  [LimitError, "invalid request"],
  [UnsupportedError, "not supported"],
  [DeviceError, "unavailable"],
  [HubError, "unavailable"],
  [NotFiniteError, "internal"],
  [FileAccessError, "internal"],
  [FileFormatError, "internal"],
  [HearthError, "internal"],
];

export function failureOf(error: unknown): Failure {
  if (error instanceof RequestError) return error.failure;
  const kind = kinds.find(([type]) => error instanceof type)?.[1];
  if (kind !== undefined && error instanceof Error) {
    return { kind, status: statusOf[kind], message: error.message, ...detailsOf(error) };
  }
  return httpFailure(error) ?? unexpected;
}

/** What a client can use besides the sentence. */
function detailsOf(error: Error): Partial<Failure> {
  if (error instanceof PromptTooLongError) {
    return { tokens: { prompt: error.promptTokens, context: error.contextLength } };
  }
  if (!(error instanceof QueueFullError)) return {};
  return { retryAfterSeconds: Math.max(1, Math.ceil((error.expectedWait ?? 0) / 1000)) };
}

/** What fastify says of a body: too large, no JSON. Other errors are bugs, whose text is for the log alone. */
function httpFailure(error: unknown): Failure | undefined {
  if (!(error instanceof Error) || !("statusCode" in error)) return undefined;
  const { statusCode: status, message } = error;
  if (typeof status !== "number" || status < 400 || status >= 500) return undefined;
  const kind = status === 413 ? "too large" : status === 404 ? "not found" : "invalid request";
  return { kind, status, message };
}

const unexpected: Failure = {
  kind: "internal",
  status: statusOf.internal,
  message: "an error inside hearth, which its log describes",
};
