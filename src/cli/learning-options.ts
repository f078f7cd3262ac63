/** Options that the commands share which read texts: profile, train-predictor and prepare. */
import { hostDevices } from "../index.ts";
import { ApiOption } from "./api-option.ts";
import { collect, wholeNumber } from "./option-values.ts";

export function corporaOption(help: string): ApiOption<"corpora"> {
  return new ApiOption("corpora", "--corpus <file...>", help).argParser(collect);
}

export function windowOption(): ApiOption<"window"> {
  const text = "tokens of a window (default: at most 512)";
  return new ApiOption("window", "-c, --context <tokens>", text).argParser(wholeNumber);
}

export function hostDeviceOption(): ApiOption<"device"> {
  return new ApiOption("device", "--device <device>", "where the model runs")
    .choices([...hostDevices])
    .default("auto");
}
