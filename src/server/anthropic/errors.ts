/** Errors as Anthropic's clients read them. */
import type { Failure, FailureKind } from "../errors.ts";

const types: Readonly<Record<FailureKind, string>> = {
  "invalid request": "invalid_request_error",
  "context exceeded": "invalid_request_error",
  "not authenticated": "authentication_error",
  "not permitted": "permission_error",
  "not found": "not_found_error",
  "method not allowed": "invalid_request_error",
  "too large": "request_too_large",
  "not supported": "invalid_request_error",
  busy: "rate_limit_error",
  unavailable: "overloaded_error",
  internal: "api_error",
};

export function errorBody({ kind, message }: Failure): object {
  return { type: "error", error: { type: types[kind], message } };
}
