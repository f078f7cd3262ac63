/**
 * Which quantisation of a repository is taken: the one that was named, or the best compromise that fits into memory, with the
 * reason as a sentence.
 */
import { LimitError, OptionError } from "../core/errors.ts";
import { type Bytes, formatBytes, GiB } from "../core/units.ts";
import type { ModelFiles } from "./hub-file.ts";

export interface ChoiceOptions {
  /** "Q4_K_M" in any case, or the path of a file; undefined leaves the choice open. */
  readonly quant: string | undefined;
  /** What this process may have. */
  readonly memoryBytes: Bytes;
}

export interface Choice<File> {
  readonly model: ModelFiles<File>;
  /** "Q4_K_M: …", for the user. */
  readonly reason: string;
}

/** By size alone. Whoever knows speeds may take another one: the lists are empty where there is nothing to weigh. */
export interface ChoiceBySize<File> extends Choice<File> {
  /** Of more bits and likely to fit, the most bits first. */
  readonly richer: readonly ModelFiles<File>[];
  /** Of fewer bits, the best first. */
  readonly leaner: readonly ModelFiles<File>[];
}

/** From four bits up the loss is small: perplexity rises by 1 to 2 % at Q4_K_M and by half of it at Q5_K_M (llama.cpp's tables). */
const fromFourBits = [
  "Q4_K_M UD-Q4_K_XL Q4_K_L Q4_K_S IQ4_XS IQ4_NL Q4_1 Q4_0 MXFP4 MXFP4_MOE NVFP4 Q4 Q5_K_M UD-Q5_K_XL",
  "Q5_K_L Q5_K_S Q5_1 Q5_0 Q6_K Q6_K_L UD-Q6_K_XL Q8_0 UD-Q8_K_XL",
].flatMap(words);
/** Below, each step costs more; a model of ternary weights was trained to be one. */
const belowFourBits = [
  "UD-Q3_K_XL Q3_K_XL Q3_K_L Q3_K_M Q3_K IQ3_M Q3_K_S IQ3_S IQ3_XS UD-IQ3_XXS IQ3_XXS UD-Q2_K_XL Q2_K_L",
  "Q2_K UD-IQ2_M IQ2_M IQ2_S IQ2_XS UD-IQ2_XXS IQ2_XXS TQ2_0 TQ1_0 UD-IQ1_M IQ1_M UD-IQ1_S IQ1_S",
].flatMap(words);
const unquantised = ["BF16", "F16", "FP16", "F32", "FP32"];
const bySize = [
  "Q8_0",
  "UD-Q8_K_XL",
  "Q6_K",
  "Q5_K_M",
  ...fromFourBits,
  ...belowFourBits,
  ...unquantised,
];
const byHabit = [...fromFourBits, ...belowFourBits, ...unquantised];
/** Steps of quality that can be measured; above eight bits there is none. */
const byQuality = ["Q8_0", "Q6_K", "Q5_K_M"];

function words(line: string): readonly string[] {
  return line.split(" ");
}

/** Small models lose most by four bits and are fast enough at eight: below this size of the eight-bit file that one is taken. */
const smallModel: Bytes = 1 * GiB;

/**
 * @throws OptionError where the name fits none or several of them; LimitError where none fits into memory
 */
export function chooseModel<File extends { readonly path: string }>(
  models: readonly ModelFiles<File>[],
  { quant, memoryBytes }: ChoiceOptions,
): ChoiceBySize<File> {
  const alone = { richer: [], leaner: [] };
  if (quant !== undefined)
    return { ...alone, model: named(models, quant), reason: `${quant}: as you asked` };
  const isSmall = models.some(({ quant: one, bytes }) => one === "Q8_0" && bytes <= smallModel);
  const order = isSmall ? bySize : byHabit;
  const known = [...new Set(order)].flatMap((one) => models.filter((model) => model.quant === one));
  // A name that says nothing of its weights: a repository of one file is that file.
  const candidates = known.length > 0 ? known : models.slice(0, models.length === 1 ? 1 : 0);
  if (candidates.length === 0) throw noChoice(models);
  const model = candidates.find(({ bytes }) => neededMemory(bytes) <= memoryBytes);
  if (model === undefined) throw tooLarge(candidates, memoryBytes);
  if (candidates.filter(({ quant: one }) => one === model.quant).length > 1) throw noChoice(models);
  const reason = reasonFor(model, { first: candidates[0] ?? model, memoryBytes, isSmall });
  if (isSmall) return { ...alone, model, reason };
  const single = candidates.filter(
    ({ quant: one }) => candidates.filter((other) => other.quant === one).length === 1,
  );
  const richer = byQuality
    .flatMap((one) => single.filter((other) => other.quant === one))
    .filter(({ bytes }) => bytes > model.bytes && neededMemory(bytes) <= memoryBytes);
  const leaner = single.filter(({ bytes }) => bytes < model.bytes);
  return { model, reason, richer, leaner };
}

/** Weights, the KV cache of 4096 tokens (a tenth of the weights of an 8B model) and what the system and other programs hold. */
export function neededMemory(bytes: Bytes): Bytes {
  return 1.1 * bytes + systemBytes(bytes);
}

/** What the system and other programs hold, beside a model of so many bytes. */
export function systemBytes(bytes: Bytes): Bytes {
  return Math.min(1 * GiB, bytes);
}

function reasonFor<File>(
  model: ModelFiles<File>,
  {
    first,
    memoryBytes,
    isSmall,
  }: { readonly first: ModelFiles<File>; readonly memoryBytes: Bytes; readonly isSmall: boolean },
): string {
  const memory = `this machine's ${formatBytes(memoryBytes)} of memory`;
  if (model !== first) {
    return `${model.quant}: the best that fits into ${memory}; ${first.quant} takes ${formatBytes(neededMemory(first.bytes))}`;
  }
  const why = isSmall
    ? "a small model loses most by fewer bits"
    : "little is lost, and fewer bytes are read for each token";
  return `${model.quant}: ${why}; fits into ${memory}`;
}

/** Those that have a file of this path, with `.gguf` or without; else those of this quantisation. In any case. */
export function modelsNamed<File extends { readonly path: string }>(
  models: readonly ModelFiles<File>[],
  quant: string,
): readonly ModelFiles<File>[] {
  const wanted = quant.toLowerCase();
  const ofFile = models.filter(({ files }) =>
    files.some(({ path }) =>
      [path, path.replace(/\.gguf$/i, "")].some((one) => one.toLowerCase() === wanted),
    ),
  );
  return ofFile.length > 0
    ? ofFile
    : models.filter((model) => model.quant.toLowerCase() === wanted);
}

function named<File extends { readonly path: string }>(
  models: readonly ModelFiles<File>[],
  quant: string,
): ModelFiles<File> {
  const found = modelsNamed(models, quant);
  const [first, second] = found;
  if (first === undefined)
    throw new OptionError("quant", `"${quant}"`, `one of ${quantsOf(models)}`);
  if (second !== undefined) {
    throw new OptionError(
      "quant",
      `"${quant}"`,
      `one file of several that have it: ${pathsOf(found)}`,
    );
  }
  return first;
}

function noChoice<File extends { readonly path: string }>(
  models: readonly ModelFiles<File>[],
): Error {
  if (models.length === 0)
    return new OptionError("model", "a repository without GGUF models", "one that has some");
  return new OptionError(
    "model",
    "a repository of several models",
    `the name of a file behind a colon: ${pathsOf(models)}`,
  );
}

function tooLarge<File>(candidates: readonly ModelFiles<File>[], memoryBytes: Bytes): LimitError {
  const smallest = candidates.reduce((least, model) => (model.bytes < least.bytes ? model : least));
  return new LimitError(
    `no quantisation fits into this machine's ${formatBytes(memoryBytes)} of memory: the smallest, ${smallest.quant}, takes ` +
      `${formatBytes(neededMemory(smallest.bytes))}; name it to have it all the same (it is read from disk for each token), or take a smaller model`,
  );
}

function quantsOf<File>(models: readonly ModelFiles<File>[]): string {
  return (
    [...new Set(models.map(({ quant }) => quant))].join(", ") ||
    "none: the repository has no GGUF models"
  );
}

function pathsOf<File extends { readonly path: string }>(
  models: readonly ModelFiles<File>[],
): string {
  return models.map(({ files: [first] }) => first?.path ?? "").join(", ");
}
