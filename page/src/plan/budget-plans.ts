/** Plans over the budgets of one machine at one context, as docs/formats/budget-plans.md has them, and what is read off them. */
import { isRecord } from "../api/failures.ts";

export interface BudgetPoint {
  readonly budget_bytes: number;
  readonly predicted_tokens_per_second: number;
}

/** What a layer is made of, and what is placed one by one. */
export type Unit = "neuron" | "expert";

export type DeviceName = "gpu0" | "cpu";

export interface BudgetPlan extends BudgetPoint {
  readonly gpu_bytes: number;
  readonly cpu_bytes: number;
  readonly gpu_activation_share: number;
  readonly notes: readonly string[];
  readonly memory: Readonly<Record<DeviceName, Readonly<Record<string, number>>>>;
  readonly output_device: DeviceName;
  readonly further: readonly BudgetPoint[];
  /** Attention and KV cache of this layer and all behind it are on the card. */
  readonly first_gpu_layer: number;
  /** Of each layer, its units on the card. */
  readonly hot: readonly number[];
  readonly predicting: readonly number[];
}

export interface BudgetPlans {
  readonly inputs: { readonly context: number };
  readonly hardware_name: string;
  readonly hardware_origin: "measured" | "described";
  readonly processor: string;
  readonly card: { readonly name: string; readonly memory_bytes: number } | null;
  readonly contexts: readonly number[];
  readonly wanted_budget_bytes: number;
  readonly layers: {
    readonly unit: readonly Unit[];
    readonly units: readonly number[];
    readonly attention_bytes: readonly number[];
    readonly kv_cache_bytes: readonly number[];
    readonly ffn_bytes: readonly number[];
  };
  /** Rising budgets; at least one. */
  readonly plans: readonly BudgetPlan[];
}

/** Undefined for what is of another version: the page may be older than its server. */
export function budgetPlansIn(value: unknown): BudgetPlans | undefined {
  if (!isRecord(value) || value["version"] !== 1 || !Array.isArray(value["plans"]))
    return undefined;
  return value["plans"].length > 0 ? (value as unknown as BudgetPlans) : undefined;
}

/** The place of the largest budget that is not above `bytes`. */
export function placeOfBudget({ plans }: BudgetPlans, bytes: number): number {
  const above = plans.findIndex(({ budget_bytes }) => budget_bytes > bytes);
  return above < 0 ? plans.length - 1 : Math.max(0, above - 1);
}

/** All that is known of speeds, with rising budgets; the plan's own further ones reach beyond the card. */
export function speedCurve({ plans }: BudgetPlans): readonly BudgetPoint[] {
  const last = plans.at(-1);
  const end = last?.budget_bytes ?? 0;
  const beyond = last?.further.filter(({ budget_bytes }) => budget_bytes > end) ?? [];
  return [...plans, ...beyond];
}

/** Bytes of one layer, by part, on one device. */
export interface LayerParts {
  readonly attention: number;
  readonly cache: number;
  readonly units: number;
}

export interface PlacedLayer {
  readonly unit: Unit;
  readonly units: number;
  readonly hot: number;
  readonly isOnCard: boolean;
  readonly isPredicting: boolean;
  readonly card: LayerParts;
  readonly processor: LayerParts;
}

export function placedLayers({ layers }: BudgetPlans, plan: BudgetPlan): readonly PlacedLayer[] {
  const predicting = new Set(plan.predicting);
  return layers.units.map((units, layer) => {
    const hot = plan.hot[layer] ?? 0;
    const isOnCard = layer >= plan.first_gpu_layer;
    const share = units === 0 ? 0 : hot / units;
    const ffn = layers.ffn_bytes[layer] ?? 0;
    const resident = {
      attention: layers.attention_bytes[layer] ?? 0,
      cache: layers.kv_cache_bytes[layer] ?? 0,
    };
    const absent = { attention: 0, cache: 0 };
    return {
      unit: layers.unit[layer] ?? "neuron",
      units,
      hot,
      isOnCard,
      isPredicting: predicting.has(layer),
      card: { ...(isOnCard ? resident : absent), units: share * ffn },
      processor: { ...(isOnCard ? absent : resident), units: (1 - share) * ffn },
    };
  });
}

/** Layers that are placed alike, one behind the other. */
export interface LayerRun {
  readonly first: number;
  readonly last: number;
  readonly layer: PlacedLayer;
}

export function layerRuns(layers: readonly PlacedLayer[]): readonly LayerRun[] {
  const runs: LayerRun[] = [];
  for (const [index, layer] of layers.entries()) {
    const before = runs.at(-1);
    if (before !== undefined && isAlike(before.layer, layer))
      runs[runs.length - 1] = { ...before, last: index };
    else runs.push({ first: index, last: index, layer });
  }
  return runs;
}

function isAlike(a: PlacedLayer, b: PlacedLayer): boolean {
  return (
    a.hot === b.hot &&
    a.units === b.units &&
    a.isOnCard === b.isOnCard &&
    a.isPredicting === b.isPredicting
  );
}

export type MemoryPart = "attention" | "cache" | "neurons" | "vocabulary" | "rest";

const partOfItem: Readonly<Record<string, MemoryPart>> = {
  attention: "attention",
  kv_cache: "cache",
  ffn: "neurons",
  ffn_shared: "neurons",
  predictors: "neurons",
  output: "vocabulary",
  embedding: "vocabulary",
};

/** What a device holds, in the order in which it is drawn; items that are not known are rest. */
export function memoryParts(
  items: Readonly<Record<string, number>>,
): readonly (readonly [MemoryPart, number])[] {
  const sums = new Map<MemoryPart, number>(
    (["attention", "cache", "neurons", "vocabulary", "rest"] as const).map((part) => [part, 0]),
  );
  for (const [item, bytes] of Object.entries(items)) {
    const part = partOfItem[item] ?? "rest";
    sums.set(part, (sums.get(part) ?? 0) + bytes);
  }
  return [...sums].filter(([, bytes]) => bytes > 0);
}
