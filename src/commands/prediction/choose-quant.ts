/**
 * Which quantisation a pull takes where none was named: the one of the most bits that fits into memory and still writes at a pleasant
 * speed here. Both are known from headers, which are read before anything is fetched. Small models, and repositories of one
 * model, are judged by size alone (hub/choose-model.ts).
 */
import { DeviceError } from "../../core/errors.ts";
import { type Bytes, formatBytes } from "../../core/units.ts";
import {
  type Choice,
  type ChoiceOptions,
  chooseModel,
  systemBytes,
} from "../../hub/choose-model.ts";
import type { HubFile, HubModel } from "../../hub/hub-file.ts";
import type { Prediction } from "./predict.ts";
import type { Predictor } from "./predict-repository.ts";

/** Twice as fast as people read: 240 words a minute (Brysbaert 2019), at 1.3 tokens a word. */
const pleasantTokensPerSecond = 10;

/**
 * Reads headers as far as it must, and measures this machine where that was not done yet.
 * @throws OptionError, LimitError as chooseModel; HubError where a header does not come
 */
export async function chooseQuant(
  models: readonly HubModel[],
  options: ChoiceOptions,
  predict: Predictor,
): Promise<Choice<HubFile>> {
  const bySize = chooseModel(models, options);
  const { model, reason, richer, leaner } = bySize;
  if (richer.length === 0 && leaner.length === 0) return bySize;
  try {
    return (await chooseBySpeed({ model, richer, leaner }, options.memoryBytes, predict)) ?? bySize;
  } catch (error) {
    if (!(error instanceof DeviceError)) throw error;
    return { model, reason: `${reason}; how fast it runs is unknown: ${error.message}` };
  }
}

interface Candidates {
  /** Taken whatever its speed, if it fits. */
  readonly model: HubModel;
  readonly richer: readonly HubModel[];
  readonly leaner: readonly HubModel[];
}

/** Undefined where none fits by its header. */
async function chooseBySpeed(
  { model: usual, richer, leaner }: Candidates,
  memoryBytes: Bytes,
  predict: Predictor,
): Promise<Choice<HubFile> | undefined> {
  let before: string | undefined;
  for (const model of [...richer, usual, ...leaner]) {
    const { prediction, reason } = await predict(model);
    const [way] = prediction?.ways ?? [];
    // The others are of the same architecture.
    if (prediction === undefined || way === undefined) {
      return { model: usual, reason: `${usual.quant}: hearth does not run it: ${reason}` };
    }
    const { decodeTokensPerSecond: rate, device } = way;
    const needed = neededBytes(prediction);
    const isFast = rate >= pleasantTokensPerSecond || !richer.includes(model);
    if (needed <= memoryBytes && isFast) {
      const facts = `${digits(rate)} tokens/s here, on ${device}; needs ${formatBytes(needed)} of ${formatBytes(memoryBytes)}`;
      const why = before === undefined ? "" : `; ${before}`;
      return { model, reason: `${model.quant}: ${facts}${why}` };
    }
    const would = needed > memoryBytes ? `need ${formatBytes(needed)}` : `write ${digits(rate)}`;
    before = `${model.quant} would ${would}`;
  }
  return undefined;
}

/** By the header, with what the system and other programs hold. */
export function neededBytes({ memory }: Prediction): Bytes {
  return memory.neededBytes + systemBytes(memory.neededBytes);
}

/** Two: a prediction is no better. */
function digits(rate: number): string {
  return String(Number(rate.toPrecision(2)));
}
