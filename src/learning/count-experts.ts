/** Counts over texts which experts the routers of a mixture choose. */
import type { Backend } from "../backends/backend.ts";
import { OptionError, UnsupportedError } from "../core/errors.ts";
import type { Tokens } from "../core/units.ts";
import { buildProgram } from "../model/build-program.ts";
import type { Model } from "../model/model.ts";
import { Session } from "../runtime/session.ts";
import { ExpertCounter, type ExpertUse } from "../sparsity/expert-profile.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import type { Corpus } from "./corpus.ts";
import { readWindows } from "./gather-windows.ts";
import { runWindow } from "./run-window.ts";

export interface ExpertCountRequest {
  readonly corpora: readonly Corpus[];
  /** Tokens of each corpus, from its beginning. */
  readonly tokens: Tokens;
  /** Tokens of a window, BOS included. Default: the model's context, at most 512. */
  readonly window?: Tokens;
  /** Tokens of all corpora so far. */
  readonly onTokens?: (done: Tokens) => void;
  /** What the routers of a step chose, as it is counted; valid until it returns. */
  readonly onRoutes?: (step: StepRoutes) => void;
  /** Ends the counting after the step that is running; what was counted is the result. */
  readonly signal?: AbortSignal;
}

/** Rows are consecutive tokens of a text. */
export interface StepRoutes {
  readonly rows: number;
  readonly layers: readonly {
    readonly layer: number;
    readonly used: number;
    /** As the op `route` writes them. [rows, 2 · used] */
    readonly routes: Float32Array;
  }[];
}

const maxRows = 128;

/** By layer with experts. The backend stays the caller's. @throws UnsupportedError for a model without experts. */
export async function countExperts(
  model: Model,
  run: { readonly tokenizer: Tokenizer; readonly backend: Backend },
  request: ExpertCountRequest,
): Promise<readonly ExpertUse[]> {
  const { contextLength } = model.hyperparameters;
  const window = request.window ?? Math.min(512, contextLength);
  if (window < 2 || window > contextLength) {
    throw new OptionError("window", String(window), `2 to ${contextLength} tokens`);
  }
  const { program, slots } = buildProgram(model, {
    contextLength: window,
    sequences: 1,
    maxRows: Math.min(maxRows, window),
    maxOutputs: 1,
    kvType: "f32",
    output: "none",
    showsRoutes: true,
  });
  if (slots.routes.length === 0) {
    throw new UnsupportedError("counting experts of a model without any", ["mixtures of experts"]);
  }
  const counted = slots.routes.map(({ layer, experts, routes }) => ({
    layer,
    routes,
    counter: new ExpertCounter({ layer, experts, used: routes.width / 2 }),
  }));
  using session = await Session.open(run.backend, program, {});
  const { tokens: until, signal, onTokens, onRoutes } = request;
  let before = 0;
  for (const corpus of request.corpora) {
    let own = 0;
    for await (const text of readWindows(corpus, run.tokenizer, { window, from: 0, until })) {
      for (const { counter } of counted) counter.beginText();
      for await (const { from, rows, done } of runWindow(session, text)) {
        const layers = counted.map(({ layer, routes }) => ({
          layer,
          used: routes.width / 2,
          routes: session.executable.output(routes).subarray(from * routes.width),
        }));
        for (const [i, { routes }] of layers.entries()) counted[i]?.counter.add(routes, rows);
        onRoutes?.({ rows, layers });
        own = text.position + done;
        onTokens?.(before + own);
        if (signal?.aborted) return counted.map(({ counter }) => counter.use);
      }
    }
    before += own;
  }
  return counted.map(({ counter }) => counter.use);
}
