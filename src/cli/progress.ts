/** Progress on stderr when it is a terminal; silence when it is not. */

import { Presets, SingleBar } from "cli-progress";
import { counted } from "../core/counted.ts";
import type { VoiceFlags } from "./voice.ts";

export interface ProgressBar {
  update(done: number, total: number): void;
  stop(): void;
}

const silent: ProgressBar = { update: () => {}, stop: () => {} };

/** `unit` names what is counted: tokens, layers; "" counts nothing that people know. A total may change on the way. */
export function createBar(title: string, unit: string, { quiet }: VoiceFlags = {}): ProgressBar {
  if (quiet || !process.stderr.isTTY) return silent;
  const total = unit === "" ? "" : ` of {total} ${unit}`;
  const bar = new SingleBar(
    {
      format: `${title} {bar} {percentage} %${total}, {eta_formatted} left`,
      stream: process.stderr,
      clearOnComplete: true,
      hideCursor: true,
    },
    Presets.shades_classic,
  );
  let isStarted = false;
  return {
    update(done, total) {
      // What is done at once needs no bar.
      if (!isStarted && done >= total) return;
      // The time of the work before the first report is unknown: the estimate begins here.
      if (!isStarted) bar.start(total, done);
      isStarted = true;
      bar.setTotal(total);
      bar.update(done);
    },
    stop() {
      if (isStarted) bar.stop();
    },
  };
}

/** Said before the bar begins: a driver may take seconds for it when it sees kernels for the first time. */
export function showCompiling(kernels: number, { quiet }: VoiceFlags): void {
  if (!quiet && process.stderr.isTTY)
    process.stderr.write(`hearth: compiling ${counted(kernels, "kernel")}\n`);
}
