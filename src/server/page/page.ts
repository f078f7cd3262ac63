/**
 * The page that people see in a browser: at `/` for whoever asks for HTML, its files under `/page/`. They say nothing of the
 * models, so they need no key. What the page may do is said by the headers here: it runs its own scripts, reaches this
 * server alone, and no text can become markup in it.
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { App } from "../context.ts";
import { RequestError } from "../errors.ts";
import { type PageFile, pageFiles } from "./files.ts";

/** Of the routes that are added here, as a key's check sees them. */
export const pageUrl = "/page/:name";

/** Nothing but what the page itself brings; `trusted-types`: only its own policy makes addresses of scripts. */
const contentSecurityPolicy = [
  "default-src 'none'",
  ...["script-src", "style-src", "img-src", "connect-src", "manifest-src", "worker-src"].map(
    (what) => `${what} 'self'`,
  ),
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types hearth",
].join("; ");

const headers: Readonly<Record<string, string>> = {
  "content-security-policy": contentSecurityPolicy,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
};

/** A name with its hash is never another file. */
const forEver = "public, max-age=31536000, immutable";
const hashedName = /-[\w-]{8}\.(?:js|css)$/;

/** Ollama's clients know by this line that they have found one. */
const ollamaGreeting = "Ollama is running";
const withoutPage =
  "hearth is running, without its page, which npm run build makes; /openapi.json lists what it answers\n";

export function addPage(app: App): void {
  const files = pageFiles();
  app.get("/", { schema: { hide: true } }, (request, reply) => {
    reply.header("vary", "accept, accept-encoding");
    const isBrowser = request.headers.accept?.includes("text/html") === true;
    const page = files?.file("index.html");
    if (isBrowser && page !== undefined) return send(request, reply, page);
    const text = isBrowser ? withoutPage : ollamaGreeting;
    return reply.type("text/plain; charset=utf-8").send(text);
  });
  app.get<{ Params: { name: string } }>(pageUrl, { schema: { hide: true } }, (request, reply) => {
    const { name } = request.params;
    const file = files?.file(name);
    if (file === undefined) throw new RequestError("not found", `the page has no file "${name}"`);
    reply.header("vary", "accept-encoding");
    if (hashedName.test(name)) reply.header("cache-control", forEver);
    // Its place is below the pages that it serves, which lie beside it.
    if (name === "service-worker.js") reply.header("service-worker-allowed", "../");
    return send(request, reply, file);
  });
}

function send(request: FastifyRequest, reply: FastifyReply, file: PageFile): FastifyReply {
  reply.headers(headers).header("etag", file.etag);
  if (!reply.hasHeader("cache-control")) reply.header("cache-control", "no-cache");
  if (request.headers["if-none-match"] === file.etag) return reply.code(304).send();
  reply.type(file.type);
  const isCompressed = /\bgzip\b/.test(String(request.headers["accept-encoding"] ?? ""));
  if (!isCompressed) return reply.send(file.bytes);
  return reply.header("content-encoding", "gzip").send(file.gzip);
}
