/** What becomes of an answer whose context is full. */
import type { Seat } from "./seat.ts";
import type { Session } from "./session.ts";

/** Ends a generation whose context is full, or makes it read its newer half again. */
export function makeRoomInContext(session: Session, seat: Seat): void {
  const { generation, sequence } = seat;
  const { cache } = session;
  if (generation.isFinished || generation.kind === "embedding") return;
  // What an answer must say is read as far as there is room, as if it were said word by word.
  const wanted = generation.isAnswering ? 1 : generation.pendingCount;
  if (cache.length(sequence) + wanted <= cache.contextLength) return;
  if (generation.settings.whenFull === "finish") {
    generation.finish("context");
    return;
  }
  // Keeps the first token (BOS), where there is room for another, and the newer half: that is read again at its new
  // positions.
  const fixed = Math.min(1, cache.contextLength - 1);
  const kept = Math.max(1, Math.floor(cache.contextLength / 2));
  const newer = Array.from(cache.tokens(sequence).slice(-kept));
  const first = Array.from(cache.tokens(sequence).slice(0, fixed));
  while (generation.pendingCount > 0) newer.push(generation.takePending());
  const again = newer.slice(-(cache.contextLength - fixed));
  generation.readAgain([...first.slice(session.keep(sequence, fixed)), ...again]);
  seat.savedAt = [];
}
