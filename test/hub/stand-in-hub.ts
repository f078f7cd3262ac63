/**
 * A stand-in of the hub on this machine: the routes of its API and files that @huggingface/hub and Python's huggingface_hub ask for,
 * and the store of contents it redirects to, on a port (an origin) of its own. Faults are injected per request.
 * Files in LFS are kept in Xet, as the hub's are, and fetched through its bridge for clients without Xet: by an address that is
 * signed for GET alone. Others are redirected within the hub. Every answer says what is left of a quota.
 * Sources: huggingface_hub 2.4.0 (hf_api.py, file_download.py, utils/_http.py, utils/_xet.py), @huggingface/hub 2.17.5, the
 * hub's documentation (Hub rate limits), answers of the hub quoted in issues of both.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type ContentAnswer, type Fault, type Line, serve } from "./faults.ts";
import { gitDigest, sha256, xetHash } from "./made-files.ts";

export interface StandInRepository {
  /** By path. Names that end in .gguf or .bin are in LFS, as the hub's default attributes say. */
  readonly files: Readonly<Record<string, Uint8Array>>;
  readonly commit?: string;
  readonly licence?: string;
  /** Terms were accepted by the owner of this token. */
  readonly gatedFor?: string;
  /** Requests for it are redirected to this name. */
  readonly renamedTo?: string;
}

export interface SeenRequest {
  readonly server: "hub" | "store";
  readonly method: string;
  readonly path: string;
  readonly range: string | undefined;
  readonly token: string | undefined;
}

export interface StandInHub extends AsyncDisposable {
  readonly endpoint: string;
  readonly requests: SeenRequest[];
  readonly repositories: Map<string, StandInRepository>;
  /** What to do wrong for a request; undefined: nothing. May be replaced at any time. */
  fault: (request: SeenRequest) => Fault | undefined;
  /** Signed addresses that were given before no longer hold. */
  expireSignatures(): void;
  /** What the hub's own addresses begin with in its answers: behind a mirror, not the mirror. */
  ownAddress: string;
  /** Requests to the hub's API and files, not to the store, within each window of so many seconds. */
  quota: { readonly requests: number; readonly seconds: number };
}

export const madeCommit: string = "0123456789abcdef0123456789abcdef01234567";

/** Files on a page of a listing: few, so that tests have several pages. */
const pageSize = 5;

export async function startHub(
  repositories: Readonly<Record<string, StandInRepository>>,
): Promise<StandInHub> {
  const state = { signature: 1, windowEnds: 0, left: 0 };
  const store = await listen((line) => answer("store", line));
  const hubServer = await listen((line) => answer("hub", line));
  const hub: StandInHub = {
    endpoint: originOf(hubServer),
    requests: [],
    repositories: new Map(Object.entries(repositories)),
    fault: () => undefined,
    expireSignatures: () => {
      state.signature++;
    },
    ownAddress: originOf(hubServer),
    quota: { requests: 5000, seconds: 300 },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([hubServer, store].map(close));
    },
  };

  async function answer(server: "hub" | "store", line: Line): Promise<void> {
    const { request } = line;
    const token = request.headers.authorization?.replace(/^Bearer /, "");
    const path = decodeURIComponent(request.url ?? "/");
    const { method = "GET" } = request;
    const seen = { server, method, path, range: request.headers.range, token };
    hub.requests.push(seen);
    const body = await textOf(request);
    const fault = hub.fault(seen);
    const url = new URL(request.url ?? "/", hub.ownAddress);
    const given =
      fault?.kind === "status"
        ? json(fault.status, { error: fault.error ?? "made trouble" }, fault.headers)
        : server === "store"
          ? storeAnswer(url, { token, method })
          : withinQuota(() => hubAnswer(url, { token, body }));
    if ("content" in given) serve(line, given, fault);
    else respond(line.response, given);
  }

  /** In fixed windows; the hub counts pages, its API and files apart. */
  function withinQuota(make: () => Answer): Answer {
    const { requests, seconds } = hub.quota;
    const now = Date.now();
    if (now >= state.windowEnds) {
      state.windowEnds = now + 1000 * seconds;
      state.left = requests;
    }
    const isOver = state.left === 0;
    state.left = Math.max(0, state.left - 1);
    const rest = Math.floor((state.windowEnds - now) / 1000);
    const made = isOver ? json(429, { error: "We had to rate limit your IP." }) : make();
    const limits = {
      ratelimit: `"resolvers";r=${state.left};t=${rest}`,
      "ratelimit-policy": `"fixed window";"resolvers";q=${requests};w=${seconds}`,
    };
    return { ...made, headers: { ...made.headers, ...limits } };
  }

  function storeAnswer(url: URL, { token, method }: AskingStore): Answer {
    if (token !== undefined) return json(400, { error: "the store was sent a token" });
    const isSigned = url.searchParams.get("X-Amz-Signature") === String(state.signature);
    if (!isSigned || method !== "GET") return json(403, { error: "SignatureDoesNotMatch" });
    const hash = url.pathname.slice(bridge.length);
    const content = url.pathname.startsWith(bridge) ? contentOf(hub, hash) : undefined;
    if (content === undefined) return json(404, { error: "no such content" });
    return { content, headers: { etag: `"${hash}"` } };
  }

  function hubAnswer(url: URL, { token, body }: Asking): Answer {
    const asked = parse(url);
    if (asked === undefined) return json(404, { error: "no such route" });
    const { name } = asked;
    const repository = hub.repositories.get(name);
    if (repository === undefined) return refuseUnknown(token);
    if (repository.renamedTo !== undefined) {
      const location = url.href.slice(url.origin.length).replace(name, repository.renamedTo);
      return json(307, {}, { location });
    }
    const commit = repository.commit ?? madeCommit;
    if (asked.revision !== undefined && !["main", "HEAD", commit].includes(asked.revision)) {
      return json(404, { error: "no such revision" }, { "x-error-code": "RevisionNotFound" });
    }
    const isAllowed = repository.gatedFor === undefined || token === repository.gatedFor;
    if (asked.route === "info") return json(200, describe(name, repository, { url, commit }));
    if (asked.route === "tree") return treePage(repository, { url, isAllowed });
    if (asked.route === "paths-info") return json(200, entriesFor(repository, { body, isAllowed }));
    return isAllowed ? fileAnswer(repository, commit, asked) : refuseGated(name, token);
  }

  function fileAnswer(
    { files }: StandInRepository,
    commit: string,
    { name, path, route }: Asked,
  ): Answer {
    const content = files[path];
    if (content === undefined) {
      const headers = { "x-error-code": "EntryNotFound", "x-repo-commit": commit };
      return json(404, { error: "Entry not found" }, headers);
    }
    const own = { "x-repo-commit": commit, "accept-ranges": "bytes" };
    if (!isLarge(path)) {
      const etag = `"${gitDigest(content)}"`;
      if (route === "cache") return { content, headers: { ...own, etag } };
      const location = `/api/resolve-cache/models/${name}/${commit}/${encodeURIComponent(path)}`;
      return json(307, {}, { ...own, location, "x-linked-etag": etag });
    }
    const hash = xetHash(content);
    const query = new URLSearchParams({
      "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
      "X-Amz-Expires": "3600",
      "X-Amz-Signature": String(state.signature),
      "response-content-disposition": `inline; filename*=UTF-8''${path}; filename="${path}";`,
      "x-id": "GetObject",
    });
    return json(
      302,
      {},
      {
        ...own,
        location: `${originOf(store)}${bridge}${hash}?${query}`,
        link: `<${hub.ownAddress}/api/models/${name}/xet-read-token/${commit}>; rel="xet-auth", <${originOf(store)}/v1/reconstructions/${hash}>; rel="xet-reconstruction-info"`,
        "x-linked-etag": `"${sha256(content)}"`,
        "x-linked-size": String(content.length),
        "x-xet-hash": hash,
      },
    );
  }

  return hub;
}

/** Of the bridge, before the hash: the region and the repository's own name. */
const bridge = "/xet-bridge-us/made/";

interface Asking {
  readonly token: string | undefined;
  readonly body: string;
}

interface AskingStore {
  readonly token: string | undefined;
  readonly method: string;
}

type Answer = JsonAnswer | ContentAnswer;

interface JsonAnswer {
  readonly status: number;
  readonly body: object;
  readonly headers: Readonly<Record<string, string>>;
}

function json(
  status: number,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): JsonAnswer {
  return { status, body, headers };
}

function respond(response: ServerResponse, { status, body, headers }: JsonAnswer): void {
  const text = JSON.stringify(body);
  const length = String(Buffer.byteLength(text));
  const own = { "content-type": "application/json", "content-length": length };
  response.writeHead(status, { ...own, ...headers });
  response.end(text);
}

async function textOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece);
  return Buffer.concat(pieces).toString("utf8");
}

interface Asked {
  readonly route: "info" | "tree" | "paths-info" | "resolve" | "cache";
  readonly name: string;
  readonly revision: string | undefined;
  readonly path: string;
}

function parse({ pathname }: URL): Asked | undefined {
  const path = decodeURIComponent(pathname);
  const api =
    /^\/api\/models\/([^/]+\/[^/]+)(?:\/(revision|tree|paths-info)\/([^/]+)(?:\/(.*))?)?$/.exec(
      path,
    );
  const cached = /^\/api\/resolve-cache\/models\/([^/]+\/[^/]+)\/([^/]+)\/(.+)$/.exec(path);
  const file = cached ?? /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(path);
  if (api?.[1] !== undefined) {
    const route = api[2] === "tree" || api[2] === "paths-info" ? api[2] : "info";
    return { route, name: api[1], revision: api[3], path: api[4] ?? "" };
  }
  if (file?.[1] === undefined || file[3] === undefined) return undefined;
  const route = cached === null ? "resolve" : "cache";
  return { route, name: file[1], revision: file[2], path: file[3] };
}

function isLarge(path: string): boolean {
  return /\.(gguf|bin)$/i.test(path);
}

function contentOf(hub: StandInHub, hash: string): Uint8Array | undefined {
  const all = [...hub.repositories.values()].flatMap(({ files }) => Object.values(files));
  return all.find((content) => xetHash(content) === hash);
}

/** With `expand` the hub says what it names, and nothing else. */
function describe(
  name: string,
  repository: StandInRepository,
  { url, commit }: { readonly url: URL; readonly commit: string },
): object {
  const expand = url.searchParams.getAll("expand");
  const own = ["_id", "id"];
  const all = {
    _id: "made",
    id: name,
    modelId: name,
    sha: commit,
    private: false,
    gated: repository.gatedFor === undefined ? false : "manual",
    disabled: false,
    downloads: 1,
    likes: 1,
    tags: [],
    pipeline_tag: "text-generation",
    lastModified: "2026-11-30T00:00:00.000Z",
    createdAt: "2026-11-30T00:00:00.000Z",
    siblings: Object.keys(repository.files).map((rfilename) => ({ rfilename })),
    ...(repository.licence !== undefined && { cardData: { license: repository.licence } }),
  };
  if (expand.length === 0) return all;
  return Object.fromEntries(
    Object.entries(all).filter(([key]) => own.includes(key) || expand.includes(key)),
  );
}

/** To who may not have it, the hub says no file's Xet hash. */
function entryOf(path: string, content: Uint8Array, isAllowed: boolean): object {
  const size = content.length;
  const lfs = { oid: sha256(content), size, pointerSize: 134 };
  const large = { lfs, xetHash: isAllowed ? xetHash(content) : "*".repeat(64) };
  return { type: "file", path, size, oid: gitDigest(content), ...(isLarge(path) && large) };
}

/** Page by page, by a Link header as RFC 8288 has it. */
function treePage(
  { files }: StandInRepository,
  { url, isAllowed }: { readonly url: URL; readonly isAllowed: boolean },
): Answer {
  const from = Number(url.searchParams.get("cursor") ?? 0);
  const folders = new Set(Object.keys(files).flatMap((path) => path.split("/").slice(0, -1)));
  const entries = [
    ...[...folders].map((path) => ({ type: "directory", path, size: 0, oid: "0".repeat(40) })),
    ...Object.entries(files).map(([path, content]) => entryOf(path, content, isAllowed)),
  ];
  const next = new URL(url);
  next.searchParams.set("cursor", String(from + pageSize));
  const link =
    from + pageSize < entries.length ? { link: `<${next.href}>; rel="next"` } : undefined;
  return json(200, entries.slice(from, from + pageSize), link);
}

/** `body`: JSON of @huggingface/hub, or the form of huggingface_hub. */
function entriesFor(
  { files }: StandInRepository,
  { body, isAllowed }: { readonly body: string; readonly isAllowed: boolean },
): readonly object[] {
  const wanted: unknown = body.startsWith("{")
    ? JSON.parse(body).paths
    : new URLSearchParams(body).getAll("paths");
  return Object.entries(files)
    .filter(([path]) => Array.isArray(wanted) && wanted.includes(path))
    .map(([path, content]) => entryOf(path, content, isAllowed));
}

/** The hub does not tell strangers which private repositories there are. */
function refuseUnknown(token: string | undefined): Answer {
  const headers = { "x-error-code": "RepoNotFound" };
  return token === undefined
    ? json(401, { error: "Invalid username or password." }, headers)
    : json(404, { error: "Repository not found" }, headers);
}

function refuseGated(name: string, token: string | undefined): Answer {
  const error = `Access to model ${name} is restricted.`;
  const headers = { "x-error-code": "GatedRepo", "x-error-message": error };
  return json(token === undefined ? 401 : 403, { error }, headers);
}

async function listen(onRequest: (line: Line) => Promise<void>): Promise<Server> {
  const server = createServer((request, response) => void onRequest({ request, response }));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

function originOf(server: Server): string {
  const address = server.address();
  if (!isAddress(address)) throw new Error("the server listens on no port");
  return `http://127.0.0.1:${address.port}`;
}

function isAddress(address: string | AddressInfo | null): address is AddressInfo {
  return typeof address === "object" && address !== null;
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
}
