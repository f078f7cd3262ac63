/**
 * Addresses inside the page, behind the #: "#/chat/ID". A view is a tab of the page: a line in `views` (app.tsx), which gets
 * what stands behind its name.
 */
import { type Signal, signal } from "@preact/signals";

export interface Route {
  /** Name of a view; "": the first one. */
  readonly view: string;
  readonly rest: string;
}

function routeIn(hash: string): Route {
  const [, view = "", rest = ""] = /^#\/([^/]*)(?:\/(.*))?$/.exec(hash) ?? [];
  return { view, rest };
}

export function hashOf({ view, rest }: Route): string {
  return rest === "" ? `#/${view}` : `#/${view}/${rest}`;
}

/** Follows the address bar. */
export function followRoute(): Signal<Route> {
  const route = signal(routeIn(location.hash));
  addEventListener("hashchange", () => {
    route.value = routeIn(location.hash);
  });
  return route;
}

export function goTo(route: Route): void {
  location.hash = hashOf(route);
}
