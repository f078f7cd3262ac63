/** Errors as OpenAI's clients read them, with the numbers that llama-server adds to a prompt that is too long. */
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
  busy: "rate_limit_error",
  unavailable: "unavailable_error",
  internal: "server_error",
};

const codes: Readonly<Partial<Record<FailureKind, string>>> = {
  "context exceeded": "context_length_exceeded",
  "not authenticated": "invalid_api_key",
  "not supported": "unsupported_parameter",
  busy: "rate_limit_exceeded",
};

/** What the error event of a stream of `/v1/responses` says. */
export function responseFailure({ kind, message, field }: Failure): object {
  return {
    message,
    code: codes[kind] ?? types[kind],
    ...(field !== undefined && { param: field }),
  };
}

export function errorBody({ kind, message, field, tokens }: Failure): object {
  const isModel = kind === "not found" && field === "model";
  return {
    error: {
      message,
      type: types[kind],
      param: field ?? null,
      code: isModel ? "model_not_found" : (codes[kind] ?? null),
      ...(tokens && { n_prompt_tokens: tokens.prompt, n_ctx: tokens.context }),
    },
  };
}
