/** From a path to everything that runs a model: file, tokenizer, backend, session. The opener closes it. */

import { existsSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Backend } from "../backends/backend.ts";
import { defined } from "../core/defined.ts";
import { requireUnbundled } from "../core/package-root.ts";
import type { Milliseconds } from "../core/units.ts";
import { createDeviceBackend } from "../devices/thread/backend.ts";
import { memoryOfProcess } from "../io/cgroup.ts";
import { UnchangedFiles } from "../io/unchanged-files.ts";
import type { ModelProgram } from "../model/build-program.ts";
import { describeModel, type ModelDescription } from "../model/describe.ts";
import type { Pooling } from "../model/model.ts";
import type { Plan } from "../placement/plan.ts";
import { Session } from "../runtime/session.ts";
import type { ActivationProfile } from "../sparsity/activation-profile.ts";
import type { ExpertCounts } from "../sparsity/expert-profile.ts";
import type { MethodName } from "../sparsity/method-names.ts";
import { type Sidecar, sidecarPathOf } from "../sparsity/sidecar/sidecar.ts";
import { type ChatTemplate, createChatTemplate } from "../text/chat-template.ts";
import { loadTokenizer, type Tokenizer } from "../text/tokenizer.ts";
import { openWithinCard } from "./card-retry.ts";
import { type ChosenDevice, chooseDevice } from "./choose-device.ts";
import { idleOptionNotices } from "./idle-options.ts";
import { withLargestContext } from "./largest-context.ts";
import { type Learner, startLearning } from "./learn.ts";
import { type ModelSetup, type OutputsWanted, openSetup } from "./model-setup.ts";
import { setUpDevice, wholeModelBytes } from "./open-gpu.ts";
import type { EngineOptions } from "./options.ts";
import { programOf } from "./program-of.ts";
import type { Remarks } from "./remarks.ts";
import { requireCacheMemory } from "./resolve-options.ts";
import { resolveSparsity } from "./resolve-sparsity.ts";

export interface OpenedModel extends Disposable, Remarks {
  readonly description: ModelDescription;
  /** How the file says that embeddings are made of rows. */
  readonly pooling: Pooling | undefined;
  /** Of the model's files. */
  fingerprint(): string;
  readonly tokenizer: Tokenizer;
  readonly template: ChatTemplate;
  readonly backend: Backend;
  readonly session: Session;
  readonly sparsity: MethodName;
  /** Where each neuron is, on device hybrid. */
  readonly plan?: Plan;
  /** Present with `learn`, where something can be learnt. */
  readonly learner?: Learner;
  /** Of the sidecar, where it has one. */
  readonly profile: ActivationProfile | undefined;
  /** Likewise, of a mixture. */
  readonly expertCounts: ExpertCounts | undefined;
  readonly loadMilliseconds: Milliseconds;
  /** @throws FileAccessError when a file whose weights are mapped has changed since it was opened. */
  checkFiles(): void;
}

/**
 * `options` have been checked. `sidecar`: in place of the one on disk, for callers that must try one before they keep it.
 * @throws FileFormatError, UnsupportedError, OptionError, LimitError or DeviceError, each saying what to do.
 */
export async function openModelFile(
  path: string,
  options: EngineOptions,
  outputs: OutputsWanted,
  sidecar?: Sidecar,
): Promise<OpenedModel> {
  const startedAt = performance.now();
  requireUnbundled();
  const opened = await openSetup(path, options, outputs, sidecar);
  const isLargest = options.contextLength === "largest";
  const setup = isLargest ? await withLargestContext(opened) : opened;
  const files = new UnchangedFiles(filesOf(setup));
  try {
    return await openWith(setup, files, startedAt);
  } catch (error) {
    files[Symbol.dispose]();
    throw error;
  }
}

/** Files that weights are mapped from: the model's parts, and the sidecar. */
function filesOf({ model, sidecar }: ModelSetup): readonly string[] {
  const parts = model.gguf.files.map(({ path }) => path);
  return sidecar === undefined || !existsSync(sidecar.path) ? parts : [...parts, sidecar.path];
}

async function openWith(
  setup: ModelSetup,
  files: UnchangedFiles,
  startedAt: Milliseconds,
): Promise<OpenedModel> {
  const { metadata } = setup.model.gguf;
  const tokenizer = await loadTokenizer(metadata, setup.model.vocabulary);
  const template = createChatTemplate(metadata, tokenizer);
  await nextTurn();
  const chosen = await chooseDevice(setup.options, {
    wholeModel: (adapter) => wholeModelBytes(setup, adapter),
  });
  const card = chosen.kind === "host" ? 0 : (chosen.budget ?? 0);
  requireCacheMemory(setup.model, setup.options, { system: memoryOfProcess(), card });
  const running =
    chosen.kind === "host"
      ? await openOnHost(chosen, setup)
      : await openWithinCard(chosen, setup.options, (choice) => openOnDevice(choice, setup));
  const { backend, session, sparsity, plan, notices, details } = running;
  const isMapped = session.executable.memory.mappedWeights > 0;
  const checkFiles = (): void => {
    if (isMapped) files.check();
  };
  const learning = await closeOnError(running, () => {
    checkFiles();
    return learnFrom(running, setup);
  });
  const learningNotices = typeof learning === "string" ? [learning] : [];
  return {
    description: describeModel(setup.model),
    pooling: setup.model.pooling,
    fingerprint: () => setup.model.gguf.fingerprint(),
    tokenizer,
    template,
    backend,
    session,
    sparsity,
    ...(plan && { plan }),
    ...(typeof learning === "object" && { learner: learning }),
    profile: setup.sidecar?.profile,
    expertCounts: setup.sidecar?.experts,
    notices: [
      ...fileNotices(setup, tokenizer),
      ...notices,
      ...idleOptionNotices(setup.options, chosen.kind),
      ...learningNotices,
    ],
    details,
    loadMilliseconds: performance.now() - startedAt,
    checkFiles,
    [Symbol.dispose]: () => {
      files[Symbol.dispose]();
      session[Symbol.dispose]();
      backend[Symbol.dispose]();
    },
  };
}

function fileNotices({ model, options }: ModelSetup, tokenizer: Tokenizer): readonly string[] {
  const { contextLength } = options;
  const { contextLength: trained } = model.hyperparameters;
  const notices = [...model.notices, ...tokenizer.notices];
  if (contextLength <= trained) return notices;
  return [
    ...notices,
    `the context of ${contextLength} tokens is longer than the ${trained} the model was trained for: past them answers may fall apart`,
  ];
}

type Running = Pick<OpenedModel, "backend" | "session" | "sparsity" | "plan" | keyof Remarks>;

async function openOnHost(
  chosen: Extract<ChosenDevice, { kind: "host" }>,
  setup: ModelSetup,
): Promise<Running> {
  const { backend, details } = chosen;
  try {
    const sparsity = await resolveSparsity(setup, backend.transpose);
    await nextTurn();
    const built = programOf({ ...setup, sparsity }, { output: "logits" });
    await nextTurn();
    const session = await openSession(backend, built, setup);
    return {
      backend,
      session,
      sparsity: sparsity.method,
      // Read now: what files and memory could not give is known once the program is compiled.
      notices: [...chosen.notices, ...sparsity.notices],
      details: [...details, ...sparsity.details],
    };
  } catch (error) {
    backend[Symbol.dispose]();
    throw error;
  }
}

async function openOnDevice(
  chosen: Exclude<ChosenDevice, { kind: "host" }>,
  setup: ModelSetup,
): Promise<Running> {
  const { spec, built, sparsity, plan, ...remarks } = await setUpDevice(chosen, setup);
  const backend = await createDeviceBackend(spec);
  try {
    const session = await openSession(backend, built, setup);
    return { backend, session, sparsity, ...(plan && { plan }), ...remarks };
  } catch (error) {
    backend[Symbol.dispose]();
    throw error;
  }
}

/** Undefined unless the caller asked for `learn`. */
async function learnFrom(
  { session, sparsity }: Running,
  { model, options }: ModelSetup,
): Promise<Learner | string | undefined> {
  if (!options.learn) return undefined;
  const sidecarPath = options.sidecar ?? sidecarPathOf(model.gguf.path);
  return startLearning({ model, session, sparsity, sidecarPath });
}

async function closeOnError<Result>(
  { backend, session }: Running,
  work: () => Result | Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    session[Symbol.dispose]();
    backend[Symbol.dispose]();
    throw error;
  }
}

function openSession(
  backend: Backend,
  { program, slots }: ModelProgram,
  { options }: ModelSetup,
): Promise<Session> {
  const { logits, argmax, topK, rows } = slots;
  if (logits === undefined) throw new Error("a program with logits has a slot for them");
  const { onProgress, onCompile, signal } = options;
  return Session.open(
    backend,
    program,
    { logits, ...defined({ argmax, topK, rows }) },
    defined({ onProgress, onCompile, signal }),
  );
}
