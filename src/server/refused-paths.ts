/** Paths that a dialect's clients know and hearth has not: refused with a sentence, not as unknown ones. */
import type { App } from "./context.ts";
import { RequestError } from "./errors.ts";

/** Method, path, and why or what instead. */
export type RefusedPath = readonly [method: "DELETE" | "POST", url: string, instead: string];

export function refusePaths(app: App, paths: readonly RefusedPath[]): void {
  for (const [method, url, instead] of paths) {
    app.route({
      method,
      url,
      schema: { hide: true },
      handler: () => {
        throw new RequestError("not supported", `${url} is not supported: ${instead}`);
      },
    });
  }
}
