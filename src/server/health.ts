/** Whether the server can answer: for probes and load balancers. Public, and says nothing of the models. */
import type { App } from "./context.ts";

export type Condition =
  | { readonly kind: "loading" }
  | { readonly kind: "ok" }
  | { readonly kind: "failed"; readonly reason: string }
  | { readonly kind: "ending" };

/** "/health" as llama-server's clients know it: 200 {"status":"ok"}, else 503 with an error. */
export function addHealthRoutes(app: App, condition: () => Condition): void {
  for (const url of ["/health", "/v1/health"]) {
    app.get(
      url,
      { schema: { summary: "Whether the server can answer", tags: ["server"] } },
      (_, reply) => {
        const now = condition();
        if (now.kind === "ok") return reply.send({ status: "ok" });
        const error = { code: 503, message: sentenceOf(now), type: "unavailable_error" };
        return reply.code(503).send({ status: now.kind, error });
      },
    );
  }
}

function sentenceOf(condition: Exclude<Condition, { kind: "ok" }>): string {
  switch (condition.kind) {
    case "loading":
      return "Loading model";
    case "failed":
      return condition.reason;
    case "ending":
      return "the server is ending";
    default:
      return condition satisfies never;
  }
}
