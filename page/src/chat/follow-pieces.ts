/** Between an answer's pieces and what is made of them: models write faster than screens and databases are. */
import type { Message } from "./conversation.ts";

/** While an answer is written it is kept so often, in milliseconds. */
const keepEvery = 1000;

/** The last piece is shown once for each frame of the screen, and kept once a second. */
export function followPieces(
  show: (message: Message) => void,
  keep: (message: Message) => void,
): (message: Message) => void {
  let latest: Message | undefined;
  let keptAt = Date.now();
  return (message) => {
    const isDue = latest === undefined;
    latest = message;
    if (!isDue) return;
    const next = (): void => {
      const last = latest ?? message;
      latest = undefined;
      show(last);
      if (Date.now() - keptAt < keepEvery) return;
      keptAt = Date.now();
      keep(last);
    };
    // A tab that nobody sees has no frames.
    if (document.hidden) setTimeout(next, 100);
    else requestAnimationFrame(next);
  };
}
