/** What `/v1/models` says of the models, as the page uses it. */
import { isRecord, recordIn } from "./failures.ts";

type ModelStatus =
  | { readonly kind: "unloaded" }
  /** `share`: of the weights, from 0 to 1; undefined before that is known. */
  | { readonly kind: "loading"; readonly share: number | undefined }
  | { readonly kind: "loaded"; readonly context: number; readonly parameters: number };

export interface Model {
  readonly name: string;
  readonly status: ModelStatus;
}

/** Who answers: the chosen one, if the server has it; else the first one, as the picker shows. */
export function modelFor(models: readonly Model[], chosen: string | undefined): Model | undefined {
  return models.find(({ name }) => name === chosen) ?? models[0];
}

/** Models of the list that are understood; the server's other fields are not looked at. */
export function modelsIn(body: unknown): readonly Model[] {
  const data = isRecord(body) && Array.isArray(body["data"]) ? body["data"] : [];
  return data.flatMap((one: unknown) => {
    const name = isRecord(one) ? one["id"] : undefined;
    return typeof name === "string" ? [{ name, status: statusOf(one) }] : [];
  });
}

function statusOf(model: unknown): ModelStatus {
  const status = recordIn(model, "status");
  const meta = recordIn(model, "meta");
  if (meta !== undefined) {
    return {
      kind: "loaded",
      context: Number(meta["n_ctx"] ?? 0),
      parameters: Number(meta["n_params"] ?? 0),
    };
  }
  if (status?.["value"] !== "loading") return { kind: "unloaded" };
  const progress = recordIn(status, "progress");
  const done = Number(progress?.["done"] ?? 0);
  const total = Number(progress?.["total"] ?? 0);
  return { kind: "loading", share: total > 0 ? Math.min(1, done / total) : undefined };
}
