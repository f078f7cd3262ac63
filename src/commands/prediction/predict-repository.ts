/** How fast each quantisation of a repository will run here, before one is fetched: headers are read by parts, weights never. */
import { defined } from "../../core/defined.ts";
import { FileFormatError, UnsupportedError } from "../../core/errors.ts";
import type { Bytes } from "../../core/units.ts";
import type { HubConnection } from "../../hub/connection.ts";
import type { HubModel } from "../../hub/hub-file.ts";
import { openRemoteFile } from "../../hub/remote-file.ts";
import { inspectModel } from "../inspect.ts";
import { type Prediction, type PredictOptions, predictSpeed } from "./predict.ts";
import { createStandIn, type StandIn } from "./remote-model.ts";

export interface PredictorOptions extends Pick<PredictOptions, "hardware"> {
  readonly signal?: AbortSignal | undefined;
}

export interface PredictedModel {
  /** Undefined for a model that does not run. */
  readonly prediction: Prediction | undefined;
  /** In a sentence, why it does not run. */
  readonly reason: string | undefined;
  /** Of its files, to know that. */
  readonly bytesRead: Bytes;
}

/** @throws HubError where a header does not come, DeviceError without the native addon */
export type Predictor = (model: HubModel) => Promise<PredictedModel>;

/**
 * Each model is predicted once. Headers of one model in several quantisations are about as long: each after the first is read at
 * once. Measures what is not known of this machine yet.
 */
export function createPredictor(
  connection: HubConnection,
  { signal, hardware }: PredictorOptions = {},
): Predictor {
  const known = new Map<HubModel, PredictedModel>();
  let expected: Bytes | undefined;
  const predict = async ({ files }: HubModel): Promise<PredictedModel> => {
    signal?.throwIfAborted();
    const remote = files.map((file) => openRemoteFile(connection, file, signal));
    try {
      using standIn = await createStandIn(remote, expected);
      expected = standIn.headerBytes;
      return await predictStandIn(standIn, defined({ hardware }));
    } catch (error) {
      if (!isOfTheModel(error)) throw error;
      return { prediction: undefined, reason: error.message, bytesRead: 0 };
    }
  };
  return async (model) => {
    const predicted = known.get(model) ?? (await predict(model));
    known.set(model, predicted);
    return predicted;
  };
}

async function predictStandIn(
  { path, bytesRead }: StandIn,
  options: PredictOptions,
): Promise<PredictedModel> {
  const { runs, reason } = inspectModel(path);
  const prediction = runs ? await predictSpeed(path, options) : undefined;
  return { prediction, reason, bytesRead };
}

/** What is wrong with one model says nothing of the next; a hub that refuses does. */
function isOfTheModel(error: unknown): error is FileFormatError | UnsupportedError {
  return error instanceof FileFormatError || error instanceof UnsupportedError;
}
