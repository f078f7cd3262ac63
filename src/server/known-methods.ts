/** Which methods a path has routes for: for requests with another one. */
import type { App } from "./context.ts";

export class KnownMethods {
  readonly #routes: { readonly path: RegExp; readonly methods: readonly string[] }[] = [];

  /** Hears of the routes that are added from now on. */
  constructor(app: App) {
    app.addHook("onRoute", ({ url, method }) => {
      const pattern = url
        .split("/")
        .map((part) => (part.startsWith(":") ? "[^/]+" : part === "*" ? ".+" : escaped(part)))
        .join("/");
      const methods = [method].flat();
      this.#routes.push({ path: new RegExp(`^${pattern}/?$`), methods });
    });
  }

  /** Sorted; none for a path that is not known. */
  of(path: string): readonly string[] {
    const found = this.#routes.filter((route) => route.path.test(path));
    return [...new Set(found.flatMap(({ methods }) => methods))].sort();
  }
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
