/** Whether the server can answer: for probes and load balancers. Public, and says nothing of the models. */
import { z } from "zod";
import type { App } from "./context.ts";
import { okAnswer } from "./openapi.ts";

export type Condition =
  | { readonly kind: "loading" }
  | { readonly kind: "ok" }
  | { readonly kind: "failed"; readonly reason: string }
  | { readonly kind: "ending" };

const okCondition = z.object({ status: z.literal("ok") }).meta({ id: "Health" });

const failedCondition = {
  503: {
    description: "It cannot, and why",
    content: {
      "application/json": {
        schema: z
          .object({
            status: z.enum(["loading", "failed", "ending"]),
            error: z.object({ code: z.literal(503), message: z.string(), type: z.string() }),
          })
          .meta({ id: "FailedHealth" }),
      },
    },
  },
};

/** "/health" as llama-server's clients know it: 200 {"status":"ok"}, else 503 with an error. */
export function addHealthRoutes(app: App, condition: () => Condition): void {
  const schema = {
    summary: "Whether the server can answer",
    tags: ["server"],
    response: { ...okAnswer({ json: okCondition }), ...failedCondition },
  };
  for (const url of ["/health", "/v1/health"]) {
    app.get(url, { schema }, (_, reply) => {
      const now = condition();
      if (now.kind === "ok") return reply.send({ status: "ok" });
      const error = { code: 503, message: sentenceOf(now), type: "unavailable_error" };
      return reply.code(503).send({ status: now.kind, error });
    });
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
