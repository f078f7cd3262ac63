/** How fast a transfer is and how long it will take, from what was there when: over the last seconds, since lines change. */
import { formatBytes } from "../core/units.ts";

/** Milliseconds that a rate looks back. */
const memory = 10_000;

export class TransferRate {
  readonly #seen: { readonly time: number; readonly done: number }[] = [];

  /** `time` in milliseconds of one clock. What was there at the first call counts as fetched before. */
  add(time: number, done: number): void {
    const last = this.#seen.at(-1);
    // A damaged copy was thrown away: its bytes are no speed.
    if (last !== undefined && done < last.done) this.#seen.length = 0;
    this.#seen.push({ time, done });
    while (this.#seen.length > 2 && time - (this.#seen[1]?.time ?? time) > memory)
      this.#seen.shift();
  }

  /** Undefined as long as nobody can know. */
  get bytesPerSecond(): number | undefined {
    const [first] = this.#seen;
    const last = this.#seen.at(-1);
    if (first === undefined || last === undefined || last.time - first.time < 500) return undefined;
    return (1000 * (last.done - first.done)) / (last.time - first.time);
  }

  /** "35.1 MiB/s, 2 min left"; "" as long as nobody can know. */
  describe(total: number): string {
    const rate = this.bytesPerSecond;
    if (rate === undefined) return "";
    const left = total - (this.#seen.at(-1)?.done ?? 0);
    const speed = `${formatBytes(Math.round(rate))}/s`;
    return rate > 0 ? `${speed}, ${duration(left / rate)} left` : speed;
  }
}

function duration(seconds: number): string {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  if (seconds < 3600) return `${Math.ceil(seconds / 60)} min`;
  const hours = Math.floor(seconds / 3600);
  return `${hours} h ${Math.floor((seconds - 3600 * hours) / 60)} min`;
}
