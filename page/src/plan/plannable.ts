/** What the server says of planning: for which machines, and how the model runs now. */
import { isRecord, recordIn } from "../api/failures.ts";
import type { MachineChoice } from "./board.tsx";

interface Running {
  readonly context: number;
  readonly vram_budget: number | null;
}

export interface Plannable {
  readonly model: string;
  readonly machines: readonly MachineChoice[];
  readonly parallel: number;
  /** Undefined: the model is not loaded. */
  readonly running: Running | undefined;
  readonly mayApply: boolean;
  /** Whether a budget can be applied. */
  readonly usesCard: boolean;
}

/** Undefined for what is not understood. */
export function plannableIn(body: unknown): Plannable | undefined {
  if (!isRecord(body) || !Array.isArray(body["machines"])) return undefined;
  const running = recordIn(body, "running");
  return {
    model: String(body["model"] ?? ""),
    machines: body["machines"].map(machineIn),
    parallel: Number(body["parallel"] ?? 1),
    running: running && {
      context: Number(running["context"]),
      vram_budget: typeof running["vram_budget"] === "number" ? running["vram_budget"] : null,
    },
    mayApply: body["may_apply"] === true,
    usesCard: body["uses_card"] === true,
  };
}

function machineIn(value: unknown): MachineChoice {
  const { machine, processor } = isRecord(value) ? value : {};
  const card = recordIn(value, "card");
  const bytes = card?.["memory_bytes"];
  return {
    name: typeof machine === "string" ? machine : "",
    processor: String(processor ?? ""),
    card:
      card === undefined
        ? null
        : { name: String(card["name"]), memory_bytes: typeof bytes === "number" ? bytes : null },
  };
}
