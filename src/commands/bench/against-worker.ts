/**
 * The child process of `hearth bench --against`: holds a model open in node-llama-cpp and measures on request.
 * Between measurements it waits for a message, so that it takes no processor time from the other side.
 */
import { pathToFileURL } from "node:url";
import type {
  AgainstReply,
  AgainstRequest,
  AgainstSettings,
  AgainstTest,
} from "./against-protocol.ts";

/** Of node-llama-cpp's API, what is used here (version 3). */
interface Library {
  readonly LlamaLogLevel: { readonly error: string };
  getLlama(options: {
    readonly gpu: false | "auto";
    readonly maxThreads: number;
    readonly logLevel: string;
    readonly build: "never";
  }): Promise<{ loadModel(options: { readonly modelPath: string }): Promise<Model> }>;
}

interface Model {
  createContext(options: {
    readonly contextSize: number;
    readonly threads: number;
    readonly batchSize: number;
  }): Promise<{ getSequence(): Sequence }>;
}

interface Sequence {
  clearHistory(): Promise<void>;
  evaluateWithoutGeneratingNewTokens(tokens: readonly number[]): Promise<void>;
  evaluate(tokens: readonly number[], options: object): AsyncIterable<number>;
}

/** What `hearth run` samples with by default. */
const sampling = { temperature: 0.8, topK: 40, topP: 0.95, minP: 0.05, seed: 1 };

let sequence: Sequence | undefined;

async function open(library: string, settings: AgainstSettings): Promise<AgainstReply> {
  const { getLlama, LlamaLogLevel }: Library = await import(pathToFileURL(library).href);
  const { threads, contextLength } = settings;
  const llama = await getLlama({
    gpu: settings.gpu === "none" ? false : "auto",
    maxThreads: threads,
    logLevel: LlamaLogLevel.error,
    build: "never",
  });
  const model = await llama.loadModel({ modelPath: settings.model });
  const context = await model.createContext({
    contextSize: contextLength,
    threads,
    batchSize: Math.min(512, contextLength),
  });
  sequence = context.getSequence();
  return { kind: "opened" };
}

async function measure(test: AgainstTest): Promise<AgainstReply> {
  if (sequence === undefined) return { kind: "failed", message: "no model is open" };
  await sequence.clearHistory();
  if (test.before.length > 0) await sequence.evaluateWithoutGeneratingNewTokens(test.before);
  const perSecond =
    test.kind === "prompt" ? await prompt(sequence, test) : await decode(sequence, test);
  return { kind: "measured", tokensPerSecond: perSecond };
}

async function prompt(
  on: Sequence,
  { ids }: Extract<AgainstTest, { readonly kind: "prompt" }>,
): Promise<number> {
  const startedAt = performance.now();
  await on.evaluateWithoutGeneratingNewTokens(ids);
  return (1000 * ids.length) / (performance.now() - startedAt);
}

/** From the first token to the last, as hearth counts. */
async function decode(
  on: Sequence,
  { first, tokens }: Extract<AgainstTest, { readonly kind: "decode" }>,
): Promise<number> {
  let seen = 0;
  let firstAt = 0;
  for await (const _ of on.evaluate([first], { ...sampling, yieldEogToken: true })) {
    if (seen === 0) firstAt = performance.now();
    if (seen === tokens) break;
    seen++;
  }
  return (1000 * seen) / (performance.now() - firstAt);
}

async function answer(request: AgainstRequest): Promise<AgainstReply> {
  try {
    return request.kind === "open"
      ? await open(request.library, request.settings)
      : await measure(request.test);
  } catch (error) {
    return { kind: "failed", message: error instanceof Error ? error.message : String(error) };
  }
}

process.on("message", (request: AgainstRequest) => {
  void answer(request).then((reply) => process.send?.(reply));
});
process.on("disconnect", () => process.exit(0));
