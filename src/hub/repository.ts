/** What a repository of the hub has, by the hub's API (@huggingface/hub asks it): the commit, the licence, the GGUF files. */

import { isRecord } from "../core/check-options.ts";
import { HubError } from "../core/errors.ts";
import { type Bytes, MiB } from "../core/units.ts";
import type { HubConnection } from "./connection.ts";
import { groupByQuant } from "./group-by-quant.ts";
import type { HubFile, HubRepository } from "./hub-file.ts";

/** A listing of the largest repositories, 1,000 files a page, has half a mebibyte. */
const maxAnswer: Bytes = 32 * MiB;
/** A repository of GGUF files has some dozens; a hub that lists without end is stopped. */
const maxFiles = 100_000;

export interface RepositoryQuestion {
  /** "owner/name". */
  readonly repository: string;
  /** A branch, a tag or a commit; "main" by default. */
  readonly revision?: string;
  readonly signal?: AbortSignal | undefined;
}

/** @throws HubError where the hub refuses, does not answer, or answers nonsense. */
export async function readRepository(
  connection: HubConnection,
  { repository, revision = "main", signal }: RepositoryQuestion,
): Promise<HubRepository> {
  const { endpoint } = connection.settings;
  const { listFiles, modelInfo } = await import("@huggingface/hub");
  const fetch = fetchFor(connection, signal);
  const info = await modelInfo({
    name: repository,
    revision,
    hubUrl: endpoint,
    additionalFields: ["sha", "cardData"],
    fetch,
  });
  const commit = checkCommit(info.sha, `${endpoint}/${repository}`);
  const files: HubFile[] = [];
  let seen = 0;
  const listing = listFiles({
    repo: repository,
    recursive: true,
    revision: commit,
    hubUrl: endpoint,
    fetch,
  });
  for await (const entry of listing) {
    if (++seen > maxFiles)
      throw nonsense(`${endpoint}/${repository}`, `more than ${maxFiles} files`);
    if (entry.type !== "file" || !/\.gguf$/i.test(entry.path)) continue;
    const { path, size, oid = "", lfs } = entry;
    files.push(checkFile({ repository, revision: commit, path, size, digest: lfs?.oid ?? oid }));
  }
  return {
    name: repository,
    asked: revision,
    revision: commit,
    licence: licenceOf(info.cardData),
    isGated: info.gated !== false && info.gated !== undefined,
    models: groupByQuant(files),
  };
}

/** The hub's library takes a fetch of the platform's kind: answers come whole, and errors are ours. */
function fetchFor(connection: HubConnection, signal: AbortSignal | undefined): typeof fetch {
  return async (input) => {
    const address = input instanceof Request ? input.url : String(input);
    const answer = await connection.ask(address, { signal });
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    for await (const piece of answer.body ?? []) {
      bytes += piece.length;
      if (bytes > maxAnswer) throw nonsense(address, "an answer without end");
      pieces.push(piece);
    }
    const headers = new Headers([...answer.headers]);
    return new Response(Buffer.concat(pieces), { status: answer.status, headers });
  };
}

function checkCommit(commit: unknown, address: string): string {
  if (typeof commit === "string" && /^[0-9a-f]{40}$/.test(commit)) return commit;
  throw nonsense(address, `a commit ${JSON.stringify(commit)}`);
}

/** A name of a file becomes a path on this machine. @throws HubError */
function checkFile(file: HubFile): HubFile {
  const { path, size, digest } = file;
  const parts = path.split("/");
  const isInside = parts.every((part) => !/^(\.{0,2})$|[\\:\0]/.test(part));
  if (!isInside) throw nonsense(file.repository, `a file named ${JSON.stringify(path)}`);
  if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(digest)) throw nonsense(path, `a digest ${digest}`);
  if (!Number.isSafeInteger(size) || size < 0) throw nonsense(path, `a size of ${size}`);
  return file;
}

function licenceOf(card: unknown): string | undefined {
  if (!isRecord(card)) return undefined;
  const { license, license_name: name } = card;
  const said = license === "other" && typeof name === "string" ? name : license;
  return typeof said === "string" ? said : undefined;
}

function nonsense(address: string, found: string): HubError {
  return new HubError(`${address}: the hub answers with ${found}; HF_ENDPOINT may name no hub`, {
    address,
  });
}
