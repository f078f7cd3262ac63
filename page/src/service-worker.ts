/**
 * Keeps the page's own files, so that it opens without the server. It answers for nothing else: what is asked of models
 * always goes to the server. Its list of files is written in by the build (vite.config.ts).
 */

declare const __FILES__: readonly string[];
declare const __VERSION__: string;

/** What of a service worker's global scope is used: the compiler's DOM types are those of a window. */
interface WorkerScope {
  readonly registration: { readonly scope: string };
  readonly clients: { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
  addEventListener(type: "install" | "activate", listener: (event: WaitingEvent) => void): void;
  addEventListener(type: "fetch", listener: (event: FetchEvent) => void): void;
}

interface WaitingEvent {
  waitUntil(work: Promise<unknown>): void;
}

interface FetchEvent {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}

const worker = globalThis as unknown as WorkerScope;
const { scope } = worker.registration;
const prefix = "hearth-page-";
const cacheName = `${prefix}${__VERSION__}`;
const folder = new URL("page/", scope).href;
/** Programs get Ollama's line at the same address. */
const pageRequest = (): Request => new Request(scope, { headers: { accept: "text/html" } });

worker.addEventListener("install", (event) => event.waitUntil(keepFiles()));
worker.addEventListener("activate", (event) => event.waitUntil(dropOldFiles()));
worker.addEventListener("fetch", (event) => {
  const { method, mode, url } = event.request;
  if (method !== "GET") return;
  if (mode === "navigate" && url.replace(/[?#].*$/, "") === scope) event.respondWith(openPage());
  else if (url.startsWith(folder)) event.respondWith(openFile(event.request));
});

async function keepFiles(): Promise<void> {
  const cache = await caches.open(cacheName);
  await cache.addAll([pageRequest(), ...__FILES__.map((name) => `${folder}${name}`)]);
  await worker.skipWaiting();
}

async function dropOldFiles(): Promise<void> {
  const names = await caches.keys();
  const old = names.filter((name) => name.startsWith(prefix) && name !== cacheName);
  await Promise.all(old.map((name) => caches.delete(name)));
  await worker.clients.claim();
}

/** The server's page where there is a server, so that a newer one is taken at once. */
async function openPage(): Promise<Response> {
  const kept = (): Promise<Response | undefined> =>
    caches.match(pageRequest(), { cacheName, ignoreVary: true });
  try {
    const fresh = await fetch(pageRequest());
    return fresh.ok ? fresh : ((await kept()) ?? fresh);
  } catch (error) {
    const page = await kept();
    if (page === undefined) throw error;
    return page;
  }
}

/** Names carry a hash of what is in them: what was kept is what the server has. */
async function openFile(request: Request): Promise<Response> {
  return (await caches.match(request, { ignoreVary: true })) ?? (await fetch(request));
}
