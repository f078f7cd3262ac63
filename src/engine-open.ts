/** From a path to everything that runs a model: file, tokenizer, backend, session. Whoever opens it closes it. */
import { totalmem } from "node:os";
import type { Backend } from "./backends/backend.ts";
import type { Milliseconds } from "./core/units.ts";
import { chooseBackend } from "./engine-backend.ts";
import {
  type EngineOptions,
  type ResolvedEngineOptions,
  resolveEngineOptions,
} from "./engine-options.ts";
import { type SettledSparsity, settleSparsity, sidecarOf } from "./engine-sparsity.ts";
import { openGguf } from "./gguf/open.ts";
import { buildProgram } from "./model/build-program.ts";
import { describeModel, type ModelDescription } from "./model/describe.ts";
import { type Model, openModel } from "./model/model.ts";
import { Session } from "./runtime/session.ts";
import type { MethodName, Sidecar } from "./sparsity/sidecar.ts";
import { type ChatTemplate, createChatTemplate } from "./text/chat-template.ts";
import { loadTokenizer, type Tokenizer } from "./text/tokenizer.ts";

export interface OpenedModel extends Disposable {
  readonly description: ModelDescription;
  readonly tokenizer: Tokenizer;
  readonly template: ChatTemplate;
  readonly backend: Backend;
  readonly session: Session;
  readonly sparsity: MethodName;
  /** What the user should know, one sentence each. */
  readonly notices: readonly string[];
  readonly loadMilliseconds: Milliseconds;
}

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
  const gguf = openGguf(path);
  const model = openModel(gguf);
  const resolved = resolveEngineOptions(options, model, totalmem());
  const tokenizer = await loadTokenizer(gguf.metadata);
  const template = createChatTemplate(gguf.metadata, tokenizer);
  const { backend, notice } = chooseBackend(resolved);
  try {
    const sparsity = await settle(model, backend, { options, resolved, sidecar });
    const session = await openSession(model, backend, { options, resolved, outputs, sparsity });
    const notices = [...model.warnings, ...tokenizer.warnings, ...(notice ? [notice] : [])];
    return {
      description: describeModel(model),
      tokenizer,
      template,
      backend,
      session,
      sparsity: sparsity.method,
      notices: [...notices, ...sparsity.notices],
      loadMilliseconds: performance.now() - startedAt,
      [Symbol.dispose]: () => {
        session[Symbol.dispose]();
        backend[Symbol.dispose]();
      },
    };
  } catch (error) {
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
  },
): Promise<SettledSparsity> {
  const { options, resolved } = request;
  const { sparsity } = resolved;
  const isNeeded = sparsity !== "dense" || options.sidecar !== undefined;
  const sidecar = request.sidecar ?? (isNeeded ? sidecarOf(model, options.sidecar) : undefined);
  return settleSparsity(model, backend, {
    sparsity,
    sidecar,
    ...(options.signal && { signal: options.signal }),
  });
}

function openSession(
  model: Model,
  backend: Backend,
  use: {
    readonly options: EngineOptions;
    readonly resolved: ResolvedEngineOptions;
    readonly outputs: OutputsWanted;
    readonly sparsity: SettledSparsity;
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
  });
  if (slots.logits === undefined) throw new Error("a program with logits has a slot for them");
  return Session.open(backend, program, slots.logits, {
    ...(options.onProgress && { onProgress: options.onProgress }),
    ...(options.signal && { signal: options.signal }),
  });
}
