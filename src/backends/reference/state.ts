/**
 * What an op of the reference works on: slots as f32 arrays, weights as f32 arrays, the KV cache.
 * An op computes rows [first, end) of its output, so that the executable can pause between rows.
 */
import type { WeightType } from "../../core/dtype.ts";
import { checkProgram } from "../../ops/check-program.ts";
import { expertBlock } from "../../ops/expert-stack.ts";
import type { ExpertStack, FfnBlock, Slot, Weight } from "../../ops/op.ts";
import type { Program, Step } from "../../ops/program.ts";
import { opsOf, opsOfKind, weightsOfOp } from "../../ops/program-ops.ts";
import type { CompileOptions } from "../backend.ts";
import { createKvCache, type KvCache } from "./kv-cache.ts";
import type { Pacer } from "./pacer.ts";
import { createRecurrentStates, type RecurrentState } from "./recurrent-state.ts";
import { loadWeights } from "./weights.ts";

export interface ReferenceState {
  /** By Slot.id: [rows, width]. */
  readonly slots: readonly Float32Array[];
  /** Dequantised to [rows, columns]. */
  readonly weights: ReadonlyMap<Weight, Float32Array>;
  /** The experts of each stack as blocks, whose weights are views of the stacked ones. */
  readonly experts: ReadonlyMap<ExpertStack, readonly FfnBlock[]>;
  readonly kv: KvCache;
  /** By layer of the cache; undefined for a layer without a state of fixed size. */
  readonly recurrent: readonly (RecurrentState | undefined)[];
  readonly roundInput: InputRounder;
}

/**
 * What a product with a weight of this type reads in place of x. The reference reads x itself; the conformance suite
 * puts a backend's declared rounding here. Whole rows.
 */
export type InputRounder = (type: WeightType, x: Float32Array) => Float32Array;

/** Rows of the output of one op, in one step. */
export interface RowRange {
  readonly step: Step;
  readonly first: number;
  readonly end: number;
}

/** Checks the shapes of the program and loads its weights. */
export async function createReferenceState(
  program: Program,
  options: CompileOptions,
  tools: { readonly pacer: Pacer; readonly roundInput?: InputRounder },
): Promise<ReferenceState> {
  checkProgram(program);
  const weights = [...new Set(opsOf(program).flatMap(weightsOfOp))];
  const loaded = await loadWeights(weights, options, tools.pacer);
  const stacks = opsOfKind(program, "experts").map(({ stack }) => stack);
  const experts = new Map(stacks.map((stack) => [stack, blocksOf(stack)]));
  const views = stacks.flatMap((stack) => expertViews(stack, experts.get(stack)!, loaded));
  return {
    slots: program.slots.map((slot) => {
      const rows = slot.rows === "step" ? program.maxRows : program.maxOutputs;
      return new Float32Array(rows * slot.width);
    }),
    kv: createKvCache(program.kv),
    recurrent: createRecurrentStates(program.kv),
    weights: new Map([...loaded, ...views]),
    experts,
    roundInput: tools.roundInput ?? ((_, x) => x),
  };
}

function blocksOf(stack: ExpertStack): readonly FfnBlock[] {
  return Array.from({ length: stack.count }, (_, expert) => expertBlock(stack, expert));
}

/** The data of each weight of each expert, within that of the stack. Matrices apart have data of their own. */
function expertViews(
  stack: ExpertStack,
  blocks: readonly FfnBlock[],
  loaded: ReadonlyMap<Weight, Float32Array>,
): readonly (readonly [Weight, Float32Array])[] {
  const { gate, gateBias, up, upBias, down, downBias } = stack;
  return blocks.flatMap((block, expert) => {
    const parts = [
      [block.gate, gate],
      [block.gateBias, gateBias],
      [block.up, up],
      [block.upBias, upBias],
      [block.down.weight, down],
      [block.downBias, downBias],
    ] as const;
    return parts.flatMap(([own, stacked]) => {
      if (own === undefined || stacked === undefined || stacked.apart !== undefined) return [];
      const { weight, first, stride, rows } = stacked;
      const begin = (first + expert * stride) * weight.columns;
      const data = loaded.get(weight)!.subarray(begin, begin + rows * weight.columns);
      return [[own, data] as const];
    });
  });
}

export function rowsOf(slot: Slot, step: Step): number {
  return rowCount(slot.rows, step);
}

export function rowCount(rows: Slot["rows"], step: Step): number {
  return rows === "step" ? step.rowCount : step.outputCount;
}

export function slotData(state: ReferenceState, slot: Slot): Float32Array {
  return state.slots[slot.id]!;
}

export function weightData(state: ReferenceState, weight: Weight): Float32Array {
  return state.weights.get(weight)!;
}
