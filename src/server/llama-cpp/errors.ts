/** Errors as llama-server's own endpoints write them. */
import type { Failure, FailureKind } from "../errors.ts";

const types: Readonly<Record<FailureKind, string>> = {
  "invalid request": "invalid_request_error",
  "context exceeded": "exceed_context_size_error",
  "not authenticated": "authentication_error",
  "not permitted": "permission_error",
  "not found": "not_found_error",
  "method not allowed": "invalid_request_error",
  "too large": "invalid_request_error",
  "not supported": "not_supported_error",
  busy: "unavailable_error",
  unavailable: "unavailable_error",
  internal: "server_error",
};

export function errorBody({ kind, status, message, tokens }: Failure): object {
  return {
    error: {
      code: status,
      message,
      type: types[kind],
      ...(tokens && { n_prompt_tokens: tokens.prompt, n_ctx: tokens.context }),
    },
  };
}
