/** From a path to everything that runs a model: file, tokenizer, backend, session. Whoever opens it closes it. */

import { totalmem } from "node:os";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Backend, CompileOptions } from "../backends/backend.ts";
import { checkOptions, checkValue, pathRule } from "../core/check-options.ts";
import type { Milliseconds } from "../core/units.ts";
import { sampledRanges } from "../gguf/fingerprint.ts";
import { type GgufFile, openGgufWithPauses } from "../gguf/open.ts";
import { readAhead } from "../io/read-ahead.ts";
import { buildProgram, type ModelSlots } from "../model/build-program.ts";
import { describeModel, type ModelDescription } from "../model/describe.ts";
import { type Model, openModel } from "../model/model.ts";
import type { Plan } from "../placement/plan.ts";
import { type OutputSlots, Session } from "../runtime/session.ts";
import type { MethodName } from "../sparsity/method-names.ts";
import { type Sidecar, sidecarPathOf } from "../sparsity/sidecar/sidecar.ts";
import { type ChatTemplate, createChatTemplate } from "../text/chat-template.ts";
import { loadTokenizer, type Tokenizer } from "../text/tokenizer.ts";
import { type ChosenDevice, chooseDevice } from "./choose-device.ts";
import { openHostBackend } from "./host-backend.ts";
import { type Learner, startLearning } from "./learn.ts";
import type { CopyUse } from "./masks.ts";
import { openGpuDevice, openHybridDevice, wholeModelBytes } from "./open-gpu.ts";
import { engineRules } from "./option-rules.ts";
import { type EngineOptions, type ResolvedEngineOptions, resolveEngineOptions } from "./options.ts";
import { budgetOfPlan } from "./planner.ts";
import { type ResolvedSparsity, resolveSparsity, sidecarOf } from "./resolve-sparsity.ts";

export interface OpenedModel extends Disposable {
  readonly description: ModelDescription;
  readonly tokenizer: Tokenizer;
  readonly template: ChatTemplate;
  readonly backend: Backend;
  readonly session: Session;
  readonly sparsity: MethodName;
  /** Where each neuron is, on device hybrid. */
  readonly plan?: Plan;
  /** Present with `learn`, where something can be learnt. */
  readonly learner?: Learner;
  /** What the user should know, one sentence each. */
  readonly notices: readonly string[];
  readonly loadMilliseconds: Milliseconds;
}

/** The largest known headers, of vocabularies of 256 000 tokens with merges, take some 12 MiB. */
const headerReadAhead = 16 << 20;

/** Outputs of a step: one for each answer, or one for each row where every row's logits are wanted. */
export type OutputsWanted = "per sequence" | "per row";

/**
 * `sidecar`: in place of the one on disk, for those who make one and must try it first.
 * @throws FileFormatError, UnsupportedError, OptionError, LimitError or DeviceError, each saying what to do.
 */
export async function openModelFile(
  path: string,
  options: EngineOptions,
  outputs: OutputsWanted,
  sidecar?: Sidecar,
): Promise<OpenedModel> {
  const startedAt = performance.now();
  checkValue(path, "path", pathRule);
  checkOptions(options, engineRules, "engine");
  options.signal?.throwIfAborted();
  await readAhead(path, [{ begin: 0, end: headerReadAhead }]);
  // Each of these takes milliseconds for a large vocabulary: the host's event loop turns between them.
  const gguf = await openGgufWithPauses(path);
  await nextTurn();
  const model = openModel(gguf);
  await readAheadOfLoading(gguf);
  const resolved = await withPlanBudget(resolveEngineOptions(options, model, totalmem()), options);
  const tokenizer = await loadTokenizer(gguf.metadata);
  const template = createChatTemplate(gguf.metadata, tokenizer);
  await nextTurn();
  const chosen = await chooseDevice(resolved, (adapter) =>
    wholeModelBytes(model, resolved, adapter),
  );
  const request = { model, options, resolved, outputs, sidecar };
  const running =
    chosen.kind === "host" ? await openOnHost(chosen, request) : await openOnGpu(chosen, request);
  const { backend, session, sparsity, plan, notices } = running;
  const learning = await learnFrom(running, request);
  const learningNotices = typeof learning === "string" ? [learning] : [];
  return {
    description: describeModel(model),
    tokenizer,
    template,
    backend,
    session,
    sparsity,
    ...(plan && { plan }),
    ...(typeof learning === "object" && { learner: learning }),
    notices: [...fileNotices(model, tokenizer, resolved), ...notices, ...learningNotices],
    loadMilliseconds: performance.now() - startedAt,
    [Symbol.dispose]: () => {
      session[Symbol.dispose]();
      backend[Symbol.dispose]();
    },
  };
}

/** A plan that is named brings its budget with it. */
async function withPlanBudget(
  resolved: ResolvedEngineOptions,
  { plan }: EngineOptions,
): Promise<ResolvedEngineOptions> {
  if (plan === undefined || resolved.vramBudget !== undefined) return resolved;
  return { ...resolved, vramBudget: await budgetOfPlan(plan) };
}

/** What loading reads on the JavaScript thread: norms and biases, which are copied, and the samples of the fingerprint. */
async function readAheadOfLoading({ files, tensors }: GgufFile): Promise<void> {
  for (const file of files) {
    const vectors = [...tensors.values()]
      .filter(({ path, dimensions }) => path === file.path && dimensions.length === 1)
      .map(({ offset, bytes }) => ({ begin: offset, end: offset + bytes }));
    const ranges = [...vectors, ...sampledRanges(file)];
    await readAhead(
      file.path,
      ranges.sort((a, b) => a.begin - b.begin),
    );
  }
}

function fileNotices(
  model: Model,
  tokenizer: Tokenizer,
  { contextLength }: ResolvedEngineOptions,
): readonly string[] {
  const { contextLength: trained } = model.hyperparameters;
  const warnings = [...model.warnings, ...tokenizer.warnings];
  if (contextLength <= trained) return warnings;
  return [
    ...warnings,
    `the context of ${contextLength} tokens is longer than the ${trained} the model was trained for: past them answers may fall apart`,
  ];
}

interface OpenRequest {
  readonly model: Model;
  readonly options: EngineOptions;
  readonly resolved: ResolvedEngineOptions;
  readonly outputs: OutputsWanted;
  readonly sidecar: Sidecar | undefined;
}

type Running = Pick<OpenedModel, "backend" | "session" | "sparsity" | "plan" | "notices">;

async function openOnHost(
  { backend, notices }: Extract<ChosenDevice, { kind: "host" }>,
  request: OpenRequest,
): Promise<Running> {
  const { model } = request;
  try {
    const settled = await settle(model, backend, { ...request, copies: "make" });
    await nextTurn();
    const session = await openSession(model, backend, { ...request, sparsity: settled });
    const sparsity = settled.method;
    return { backend, session, sparsity, notices: [...notices, ...settled.notices] };
  } catch (error) {
    backend[Symbol.dispose]();
    throw error;
  }
}

/** What must be made at load is made by the processor's threads, before the device's own thread begins. */
async function openOnGpu(
  chosen: Exclude<ChosenDevice, { kind: "host" }>,
  request: OpenRequest,
): Promise<Running> {
  const { model, options, resolved, outputs } = request;
  const sidecar = request.sidecar ?? sidecarOf(model, options.sidecar);
  const helper = openHostBackend("auto", resolved.threads);
  let settled: ResolvedSparsity;
  try {
    const copies = chosen.kind === "gpu" ? "leave" : "map";
    settled = await settle(model, helper.backend, { ...request, sidecar, copies });
  } finally {
    helper.backend[Symbol.dispose]();
  }
  const maxOutputs = outputs === "per row" ? resolved.batchSize : resolved.sequences;
  const wanted = { model, options, resolved, sparsity: settled, sidecar, maxOutputs };
  const { backend, built, plan, notices } =
    chosen.kind === "gpu"
      ? await openGpuDevice(chosen, wanted)
      : await openHybridDevice(chosen, wanted);
  try {
    const session = await Session.open(
      backend,
      built.program,
      outputSlots(built.slots),
      compileOptions(options),
    );
    const all = [...notices, ...settled.notices];
    return { backend, session, sparsity: settled.method, ...(plan && { plan }), notices: all };
  } catch (error) {
    backend[Symbol.dispose]();
    throw error;
  }
}

/** Undefined where nobody asked for it. */
async function learnFrom(
  { backend, session, sparsity }: Running,
  { model, options }: OpenRequest,
): Promise<Learner | string | undefined> {
  if (!options.learn) return undefined;
  const sidecarPath = options.sidecar ?? sidecarPathOf(model.gguf.path);
  try {
    return await startLearning({ model, session, sparsity, sidecarPath });
  } catch (error) {
    session[Symbol.dispose]();
    backend[Symbol.dispose]();
    throw error;
  }
}

/** A dense model needs no sidecar: then none is looked for, and one of another model does no harm. */
function settle(
  model: Model,
  backend: Backend,
  request: {
    readonly options: EngineOptions;
    readonly resolved: ResolvedEngineOptions;
    readonly sidecar: Sidecar | undefined;
    readonly copies: CopyUse;
  },
): Promise<ResolvedSparsity> {
  const { options, resolved } = request;
  const { sparsity } = resolved;
  const isNeeded = sparsity !== "dense" || options.sidecar !== undefined;
  const sidecar = request.sidecar ?? (isNeeded ? sidecarOf(model, options.sidecar) : undefined);
  return resolveSparsity(model, backend, {
    sparsity,
    sidecar,
    copies: request.copies,
    ...(options.signal && { signal: options.signal }),
  });
}

async function openSession(
  model: Model,
  backend: Backend,
  use: {
    readonly options: EngineOptions;
    readonly resolved: ResolvedEngineOptions;
    readonly outputs: OutputsWanted;
    readonly sparsity: ResolvedSparsity;
  },
): Promise<Session> {
  const { options, resolved, outputs, sparsity } = use;
  const { contextLength, sequences, batchSize: maxRows, cacheType: kvType } = resolved;
  const { program, slots } = buildProgram(model, {
    contextLength,
    sequences,
    maxRows,
    maxOutputs: outputs === "per row" ? maxRows : sequences,
    kvType,
    output: "logits",
    methodFor: sparsity.methodFor,
    ...(sparsity.downRows && { downRows: sparsity.downRows }),
    ...(sparsity.masksFor && { masksFor: sparsity.masksFor }),
  });
  await nextTurn();
  return Session.open(backend, program, outputSlots(slots), compileOptions(options));
}

function outputSlots({ logits, argmax, topK }: ModelSlots): OutputSlots {
  if (logits === undefined) throw new Error("a program with logits has a slot for them");
  return { logits, ...(argmax && { argmax }), ...(topK && { topK }) };
}

function compileOptions({ onProgress, onCompile, signal }: EngineOptions): CompileOptions {
  return {
    ...(onProgress && { onProgress }),
    ...(onCompile && { onCompile }),
    ...(signal && { signal }),
  };
}
