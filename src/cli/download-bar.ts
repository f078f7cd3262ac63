/** A bar for downloads: bytes, rate and time left. Silence where stderr is no terminal, as with other bars. */
import { Presets, SingleBar } from "cli-progress";
import { formatBytes } from "../core/units.ts";
import type { ProgressBar } from "./progress.ts";
import { TransferRate } from "./transfer-rate.ts";
import type { VoiceFlags } from "./voice.ts";

export function createDownloadBar({ quiet }: VoiceFlags): ProgressBar {
  if (quiet || !process.stderr.isTTY) return { update: () => {}, stop: () => {} };
  const bar = new SingleBar(
    {
      format: "{bar} {percentage} %, {bytes}{speed}",
      stream: process.stderr,
      clearOnComplete: true,
      hideCursor: true,
    },
    Presets.shades_classic,
  );
  const rate = new TransferRate();
  let isStarted = false;
  return {
    update(done, total) {
      if (!isStarted && done >= total) return;
      rate.add(performance.now(), done);
      const speed = rate.describe(total);
      const shown = {
        bytes: `${formatBytes(done)} of ${formatBytes(total)}`,
        speed: speed && `, ${speed}`,
      };
      if (!isStarted) bar.start(total, done, shown);
      isStarted = true;
      bar.update(done, shown);
    },
    stop() {
      if (isStarted) bar.stop();
      isStarted = false;
    },
  };
}
