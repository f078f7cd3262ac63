/** Second part of `prepare`: every method that could serve the model is run against the dense one and measured. */

import type { Backend } from "../../backends/backend.ts";
import { defined } from "../../core/defined.ts";
import { weightBytes } from "../../core/dtype.ts";
import { median } from "../../core/numbers.ts";
import type { Bytes, Tokens } from "../../core/units.ts";
import { channelSources, matricesOfPlace } from "../../derived-weights/channel-copies.ts";
import { resolveSparsity } from "../../engine/resolve-sparsity.ts";
import {
  CheckedModel,
  type CheckText,
  compareTargets,
  decodeOnce,
  type ScoredTargets,
  scoreTargets,
} from "../../learning/check/checked-model.ts";
import { describeModel } from "../../model/describe.ts";
import type { Model } from "../../model/model.ts";
import { blockOf, requireBlock } from "../../model/weights.ts";
import type { Weight } from "../../ops/op.ts";
import { isReluFamily } from "../../sparsity/activation-profile.ts";
import {
  type ComparedMatrices,
  keepsQuality,
  type MethodReport,
} from "../../sparsity/choose-best.ts";
import { hasAllPredictors } from "../../sparsity/method.ts";
import type { MethodName } from "../../sparsity/method-names.ts";
import {
  columnPlaces,
  type InputThresholds,
  type Sidecar,
  type ThresholdTable,
} from "../../sparsity/sidecar/sidecar.ts";
import { canReject } from "./can-reject.ts";

export interface CheckRequest {
  readonly model: Model;
  readonly backend: Backend;
  readonly sidecar: Sidecar;
  readonly tables: readonly ThresholdTable[];
  readonly text: CheckText;
  readonly maxPerplexityLoss: number;
  readonly onProgress?: (stage: string, done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

interface CheckedVariant {
  readonly method: MethodName;
  readonly variant: string;
  readonly table?: ThresholdTable;
}

/** Tokens of one timed decode. Dense and sparse take turns, so that what else the machine does slows both; medians count. */
const timedTokens: Tokens = 48;
/** Turns of one method at least; small models, whose turns take milliseconds, get more. */
const minTurns = 5;
const timedMilliseconds = 250;
const maxTurns = 101;
/** Of a method that will not be chosen. */
const turnsOfDropped = 1;
const promptTokens: Tokens = 16;

/** The dense model first. */
export async function checkMethods(request: CheckRequest): Promise<readonly MethodReport[]> {
  const { text } = request;
  const candidates = candidatesFor(request);
  const progress = new CheckProgress(request, candidates.length);
  using dense = await open(request, { method: "dense", variant: "" });
  const reference = await scoreTargets(
    dense,
    text,
    progress.watch(() => false),
  );
  const base = attentionCompared(request);
  const reports = new Map<CheckedVariant, MethodReport>();
  let cheapest: Bytes | undefined;
  for (const candidate of mostSkippedFirst(candidates)) {
    using sparse = await open(request, candidate);
    const best = { ...request, cheapest: candidate.table && cheapest };
    const scored = await scoreTargets(
      sparse,
      text,
      progress.watch((seen, windows) => canReject(seen, reference, { ...best, windows })),
    );
    const measured = await report(candidate, {
      ...request,
      dense,
      sparse,
      reference,
      scored,
      base,
    });
    reports.set(candidate, measured);
    if (qualifies(measured, reference, request)) {
      cheapest = Math.min(cheapest ?? Number.POSITIVE_INFINITY, measured.bytesPerToken - base);
    }
  }
  const inOrder = candidates.flatMap((candidate) => reports.get(candidate) ?? []);
  const first = inOrder[0];
  return [await denseReport(dense, { reference, text, first, base }), ...inOrder];
}

/** Operating points from the one that skips the most: gentler ones need not be checked once one is good enough. */
function mostSkippedFirst(candidates: readonly CheckedVariant[]): readonly CheckedVariant[] {
  const points = candidates.filter(({ table }) => table !== undefined);
  return [...candidates.filter(({ table }) => table === undefined), ...points.toReversed()];
}

function qualifies(
  { table, judgedTokens, perplexityLoss, lossError }: MethodReport,
  reference: ScoredTargets,
  { maxPerplexityLoss }: CheckRequest,
): boolean {
  const isWhole = judgedTokens === reference.losses.length;
  return (
    table !== undefined && isWhole && keepsQuality({ perplexityLoss, lossError }, maxPerplexityLoss)
  );
}

/**
 * If any method masks attention's inputs, every method's byte count includes attention's matrices, so that the counts
 * are comparable.
 */
export function comparedMatrices(tables: readonly ThresholdTable[]): ComparedMatrices {
  const isMasked = (table: ThresholdTable): boolean =>
    table.score === "input" && table.shares.attention + table.shares.attentionOutput > 0;
  return tables.some(isMasked) ? "feed-forward and attention" : "feed-forward";
}

/** Bytes of attention's matrices that every method's byte count includes. */
function attentionCompared({ model, tables }: CheckRequest): Bytes {
  if (comparedMatrices(tables) === "feed-forward") return 0;
  const { attention, attentionOutput } = matricesOfPlace;
  return model.layers
    .flatMap((layer) => {
      const sources = channelSources(layer);
      return [...attention, ...attentionOutput].flatMap((matrix) => sources[matrix] ?? []);
    })
    .reduce((sum, weight) => sum + weightBytes(weight), 0);
}

function candidatesFor({ model, sidecar, tables }: CheckRequest): readonly CheckedVariant[] {
  const relu = isReluFamily(model.activation);
  const hasPredictors =
    hasAllPredictors(sidecar) ||
    model.layers.every((layer) => blockOf(layer)?.predictor !== undefined);
  const methods: readonly (readonly [MethodName, boolean])[] = [
    ["gate", relu],
    ["mlp", hasPredictors],
    ["sign", relu && sidecar.signMargins !== undefined],
  ];
  return [
    ...methods.filter(([, applies]) => applies).map(([method]) => ({ method, variant: "" })),
    ...tables.map((table) => ({
      method: "threshold" as const,
      variant: variantOf(table),
      table,
    })),
  ];
}

/** "output 40 %", or for inputs of attention, of gate and up, and the output score: "input 10/10/30 %". */
function variantOf(table: ThresholdTable): string {
  const inPercent = (share: number): number => Math.round(100 * share);
  if (table.score !== "input") return `${table.score} ${inPercent(table.sparsity)} %`;
  const { attention, ffn, output } = table.shares;
  return `input ${[attention, ffn, output].map(inPercent).join("/")} %`;
}

async function open(request: CheckRequest, candidate: CheckedVariant): Promise<CheckedModel> {
  const { model, backend, sidecar, text } = request;
  const { table, method } = candidate;
  const thresholds = table && { tables: [table], chosen: 0 };
  const known = thresholds === undefined ? sidecar : { ...sidecar, thresholds };
  const { methodFor, downRows, masksFor } = await resolveSparsity(
    { model, sidecar: known, options: { sparsity: method } },
    backend.transpose,
  );
  const longest = text.windows.reduce((most, { length }) => Math.max(most, length), 0);
  const contextLength = Math.max(longest, promptTokens + timedTokens);
  return CheckedModel.open(model, backend, {
    contextLength: Math.min(model.hyperparameters.contextLength, contextLength),
    methodFor,
    ...defined({ downRows, masksFor }),
  });
}

/** Counts windows; how many are left is guessed from what the methods took so far. */
class CheckProgress {
  readonly #request: CheckRequest;
  #modelsLeft: number;
  #windows = 0;
  /** Of the dense model, then of each method that is finished. */
  readonly #taken: number[] = [];

  constructor(request: CheckRequest, candidates: number) {
    this.#request = request;
    this.#modelsLeft = candidates + 1;
  }

  /** For the next model. `isEnough` reports after a window whether the rest need not be checked. */
  watch(
    isEnough: (seen: () => ScoredTargets, windows: number) => boolean,
  ): Parameters<typeof scoreTargets>[2] {
    const { onProgress, signal } = this.#request;
    this.#modelsLeft--;
    return {
      onWindow: (done, all, scored) => {
        this.#windows++;
        const isOver = done === all || isEnough(scored, done);
        if (isOver) this.#taken.push(done);
        const left = (isOver ? 0 : all - done) + this.#modelsLeft * this.#usual(all);
        onProgress?.("checking", this.#windows, this.#windows + left);
        return isOver;
      },
      ...(signal && { signal }),
    };
  }

  #usual(all: number): number {
    const [, ...ofMethods] = this.#taken;
    if (ofMethods.length === 0) return all;
    return ofMethods.reduce((sum, windows) => sum + windows, 0) / ofMethods.length;
  }
}

async function report(
  candidate: CheckedVariant,
  measured: {
    readonly model: Model;
    readonly dense: CheckedModel;
    readonly sparse: CheckedModel;
    readonly reference: ScoredTargets;
    readonly scored: ScoredTargets;
    readonly text: CheckText;
    readonly base: Bytes;
  },
): Promise<MethodReport> {
  const { model, dense, sparse, reference, scored, text, base } = measured;
  const judgedTokens = scored.losses.length;
  const turns = judgedTokens < reference.losses.length ? turnsOfDropped : minTurns;
  const timed = { ...timedDecode(text, sparse.contextLength), turns };
  const { tokensPerSecond, measuredSpeedup } = await compareSpeeds(dense, sparse, timed);
  const rest = bytesBesideFfn(model);
  const bytes = scored.bytesPerToken - scored.bytesSkipped;
  const { activeShare } = scored;
  const { table } = candidate;
  return {
    ...candidate,
    ...compareTargets(scored, reference),
    judgedTokens,
    activeShare,
    bytesPerToken: base + bytes,
    tokensPerSecond,
    predictedSpeedup: (rest + reference.bytesPerToken) / (rest + bytes),
    measuredSpeedup,
    skippedShare: table?.score === "input" ? weightsSkipped(model, table) : 1 - activeShare,
  };
}

/** The speed-up is the median over turns of their own ratio. */
async function compareSpeeds(
  dense: CheckedModel,
  sparse: CheckedModel,
  timed: ReturnType<typeof timedDecode> & { readonly turns: number },
): Promise<Pick<MethodReport, "tokensPerSecond" | "measuredSpeedup">> {
  const speeds: number[] = [];
  const ratios: number[] = [];
  const until = performance.now() + timedMilliseconds;
  while (speeds.length < timed.turns || (performance.now() < until && speeds.length < maxTurns)) {
    const plain = await decodeOnce(dense, timed);
    const fast = await decodeOnce(sparse, timed);
    speeds.push(fast);
    ratios.push(fast / plain);
  }
  return { tokensPerSecond: median(speeds), measuredSpeedup: median(ratios) };
}

async function denseReport(
  dense: CheckedModel,
  measured: {
    readonly reference: ScoredTargets;
    readonly text: CheckText;
    readonly first: MethodReport | undefined;
    readonly base: Bytes;
  },
): Promise<MethodReport> {
  const { reference, text, first, base } = measured;
  const tokensPerSecond =
    first === undefined
      ? await decodeOnce(dense, timedDecode(text, dense.contextLength))
      : first.tokensPerSecond / first.measuredSpeedup;
  return {
    method: "dense",
    variant: "",
    ...compareTargets(reference, reference),
    judgedTokens: reference.losses.length,
    activeShare: 1,
    bytesPerToken: base + reference.bytesPerToken,
    tokensPerSecond,
    predictedSpeedup: 1,
    measuredSpeedup: 1,
    skippedShare: 0,
  };
}

function timedDecode(
  { windows }: CheckText,
  contextLength: Tokens,
): { readonly prompt: readonly number[]; readonly tokens: Tokens } {
  const [first = []] = windows;
  const prompt = first.slice(0, Math.min(promptTokens, contextLength >> 1));
  return { prompt, tokens: Math.min(timedTokens, contextLength - prompt.length) };
}

/** Of the weights of all layers' matrices, those behind the shares of inputs that the table leaves out. */
function weightsSkipped({ layers }: Model, { shares }: InputThresholds): number {
  const parts = layers.flatMap((layer) => {
    const sources = channelSources(layer);
    const inputs = columnPlaces.flatMap((place) =>
      matricesOfPlace[place].map((name) => ({ weight: sources[name], share: shares[place] })),
    );
    return [...inputs, { weight: requireBlock(layer).down.weight, share: shares.output }];
  });
  const sum = (value: (share: number) => number): number =>
    parts.reduce((all, { weight, share }) => all + value(share) * elementsOf(weight), 0);
  return sum((share) => share) / sum(() => 1);
}

function elementsOf(weight: Weight | undefined): number {
  return weight === undefined ? 0 : weight.rows * weight.columns;
}

/** What a token reads of the weights whatever its neurons do. */
function bytesBesideFfn(model: Model): Bytes {
  const { layers, output, embedding, tied } = describeModel(model);
  const perLayer = layers.reduce((sum, { attention, norms }) => sum + attention + norms, 0);
  return perLayer + output + (tied ? embedding : 0);
}
