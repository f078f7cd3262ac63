/** Who may ask: keys are compared by their digests, in a time that says nothing of them. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { FastifyRequest } from "fastify";
import { RequestError } from "../errors.ts";
import { pageUrl } from "../page/page.ts";

/** What a probe or a visitor may see without a key: nothing of the models. */
const publicPaths: ReadonlySet<string> = new Set(["/", pageUrl, "/health", "/v1/health"]);

/** Lets a request pass that carries one of the keys. @throws RequestError otherwise */
export function createKeyCheck(keys: readonly string[]): (request: FastifyRequest) => void {
  const digests = keys.map(digest);
  return (request) => {
    if (publicPaths.has(request.routeOptions.url ?? "")) return;
    const given = keyOf(request);
    if (given === undefined) {
      const message =
        "this server wants a key; send it as Authorization: Bearer KEY or as X-Api-Key: KEY";
      throw new RequestError("not authenticated", message);
    }
    const found = digest(given);
    // All of them, so that the time does not say which one it was.
    const matches = digests.filter((own) => timingSafeEqual(own, found));
    if (matches.length > 0) return;
    throw new RequestError("not authenticated", "the key that was sent is none of this server's");
  };
}

function keyOf({ headers }: FastifyRequest): string | undefined {
  const [, bearer] = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? "") ?? [];
  const plain = headers["x-api-key"];
  return bearer ?? (typeof plain === "string" ? plain : undefined);
}

function digest(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}
