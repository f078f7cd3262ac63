/** Sentences for what the hub refuses: what was wrong, what it answered, and what to do. */
import { HubError } from "../core/errors.ts";
import { visibleText } from "../core/visible-text.ts";
import type { HubResponse } from "./response.ts";
import type { HubSettings } from "./settings.ts";

/** Of an answer that is neither a success nor a redirect. Reads its body. */
export async function refusal(
  address: string,
  answer: HubResponse,
  settings: HubSettings,
): Promise<HubError> {
  const { status } = answer;
  const code = answer.headers.get("x-error-code") ?? "";
  const said = (answer.headers.get("x-error-message") ?? (await errorIn(answer))).slice(0, 200);
  const why = reason({ status, code, said, address, settings });
  return new HubError(`${why} (${status}${said && `: ${visibleText(said)}`})`, { address, status });
}

interface Refused {
  readonly status: number;
  readonly code: string;
  readonly said: string;
  readonly address: string;
  readonly settings: HubSettings;
}

function reason({ status, code, said, address, settings }: Refused): string {
  const { endpoint, token } = settings;
  if (new URL(address).origin !== new URL(endpoint).origin && status < 500 && status !== 429) {
    return `${visibleText(new URL(address).host)}, where the hub keeps the file, refuses it; try again later`;
  }
  const name = repositoryIn(address, endpoint);
  const where = name === undefined ? address : `${endpoint}/${name}`;
  const setToken =
    "set HF_TOKEN to a token of yours, or write it with Python's `hf auth login`; the hub makes them under Settings, Access Tokens";
  if (code === "GatedRepo" || /gated|restricted/i.test(said)) {
    return token === undefined
      ? `${where} is gated: accept its terms on that page, then ${setToken}`
      : `${where} is gated, and your token has no access to it: accept its terms on that page with the account of the token`;
  }
  if (status === 401 && /^invalid credentials/i.test(said)) {
    return `the hub does not know your token: ${setToken}`;
  }
  if (code === "RevisionNotFound") return `${where} has no such revision`;
  if (code === "EntryNotFound") return `${where} has no such file`;
  if (status === 401 || status === 404) {
    return token === undefined
      ? `there is no repository ${where}, or it is private: look at its name, or ${setToken}`
      : `there is no repository ${where}, or your token has no access to it: look at its name`;
  }
  if (/^access to this resource is disabled/i.test(said)) return `the hub has disabled ${where}`;
  if (status === 403)
    return `${where} is forbidden to ${token === undefined ? "strangers" : "the account of your token"}`;
  if (status === 429) {
    return `the hub asks for fewer requests: wait a few minutes${token === undefined ? `, or ${setToken}` : ""}`;
  }
  if (status >= 500) return `the hub at ${endpoint} is in trouble; try again later`;
  return `the hub refuses ${visibleText(address)}`;
}

/** "owner/name" of an address of the API or of a file. */
function repositoryIn(address: string, endpoint: string): string | undefined {
  if (!address.startsWith(`${endpoint}/`)) return undefined;
  const path = address.slice(endpoint.length + 1);
  return /^(?:api\/models\/)?([\w.-]+\/[\w.-]+)/.exec(path)?.[1];
}

/** What an error's JSON says; other bodies are pages of proxies. */
async function errorIn(answer: HubResponse): Promise<string> {
  try {
    const body: unknown = JSON.parse(await answer.text());
    if (typeof body === "object" && body !== null && "error" in body) return String(body.error);
  } catch {
    // No JSON, or cut: the status has to do.
  }
  return "";
}

/** Of a request without an answer. The reason lies in the causes: "fetch failed" says nothing. */
export function requestFailed(address: string, error: unknown): HubError {
  const { host } = new URL(address);
  return new HubError(
    `${visibleText(host)} does not answer: ${visibleText(innermost(error))}; look at the connection, at HTTPS_PROXY and at HF_ENDPOINT`,
    { address, cause: error },
  );
}

function innermost(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause !== undefined) return innermost(error.cause);
  if (error instanceof AggregateError && error.errors.length > 0) return innermost(error.errors[0]);
  return error.message;
}
