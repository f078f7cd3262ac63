/** From a path to everything that runs a model: file, tokenizer, backend, session. Whoever opens it closes it. */
import { totalmem } from "node:os";
import type { Backend } from "./backends/backend.ts";
import type { Milliseconds } from "./core/units.ts";
import { chooseBackend } from "./engine-backend.ts";
import { type EngineOptions, resolveEngineOptions } from "./engine-options.ts";
import { openGguf } from "./gguf/open.ts";
import { buildProgram } from "./model/build-program.ts";
import { describeModel, type ModelDescription } from "./model/describe.ts";
import { openModel } from "./model/model.ts";
import { Session } from "./runtime/session.ts";
import { type ChatTemplate, createChatTemplate } from "./text/chat-template.ts";
import { loadTokenizer, type Tokenizer } from "./text/tokenizer.ts";

export interface OpenedModel extends Disposable {
  readonly description: ModelDescription;
  readonly tokenizer: Tokenizer;
  readonly template: ChatTemplate;
  readonly backend: Backend;
  readonly session: Session;
  /** What the user should know, one sentence each. */
  readonly notices: readonly string[];
  readonly loadMilliseconds: Milliseconds;
}

/** Outputs of a step: one for each answer, or one for each row where every row's logits are wanted. */
export type OutputsWanted = "per sequence" | "per row";

/** @throws FileFormatError, UnsupportedError, OptionError, LimitError or DeviceError, each saying what to do. */
export async function openModelFile(
  path: string,
  options: EngineOptions,
  outputs: OutputsWanted,
): Promise<OpenedModel> {
  const startedAt = performance.now();
  const gguf = openGguf(path);
  const model = openModel(gguf);
  const resolved = resolveEngineOptions(options, model, totalmem());
  const tokenizer = await loadTokenizer(gguf.metadata);
  const template = createChatTemplate(gguf.metadata, tokenizer);
  const { contextLength, sequences, batchSize: maxRows, cacheType: kvType } = resolved;
  const { program, slots } = buildProgram(model, {
    contextLength,
    sequences,
    maxRows,
    maxOutputs: outputs === "per row" ? maxRows : sequences,
    kvType,
    output: "logits",
  });
  if (slots.logits === undefined) throw new Error("a program with logits has a slot for them");
  const { backend, notice } = chooseBackend(resolved);
  try {
    const session = await Session.open(backend, program, slots.logits, {
      ...(options.onProgress && { onProgress: options.onProgress }),
      ...(options.signal && { signal: options.signal }),
    });
    return {
      description: describeModel(model),
      tokenizer,
      template,
      backend,
      session,
      notices: [...model.warnings, ...tokenizer.warnings, ...(notice ? [notice] : [])],
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
