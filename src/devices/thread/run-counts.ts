/** Counts that a device's thread sends with each run, until they are asked for. */
import type { ChannelCounts, FfnCounts } from "../../backends/backend.ts";
import { joinCounts, joinParts, joinRuns } from "../hybrid/join-counts.ts";

/** Counts of single runs that are kept before they are joined: an answer of any length takes no more memory. */
const keptCounts = 4096;

export class RunCounts {
  #ffn: FfnCounts[] = [];
  #channels: readonly ChannelCounts[] = [];

  /** Of one run. */
  add(ffn: readonly FfnCounts[], channels: readonly ChannelCounts[]): void {
    this.#ffn.push(...joinCounts(ffn, joinParts));
    if (this.#ffn.length > keptCounts) this.#ffn = [...joinCounts(this.#ffn, joinRuns)];
    if (channels.length > 0) this.#channels = addChannels(this.#channels, channels);
  }

  /** In order of layer, and forgotten here. */
  takeFfn(): readonly FfnCounts[] {
    const taken = joinCounts(this.#ffn, joinRuns);
    this.#ffn = [];
    return taken;
  }

  takeChannels(): readonly ChannelCounts[] {
    const taken = this.#channels;
    this.#channels = [];
    return taken;
  }
}

/** Matrix by matrix, in the program's order; `sum` is empty before the first run. */
function addChannels(
  sum: readonly ChannelCounts[],
  more: readonly ChannelCounts[],
): readonly ChannelCounts[] {
  if (sum.length === 0) return more;
  return more.map((count, at) => {
    const known = sum[at];
    if (known === undefined) return count;
    return {
      rows: known.rows + count.rows,
      channels: known.channels + count.channels,
      bytesTouched: known.bytesTouched + count.bytesTouched,
      bytesDense: known.bytesDense + count.bytesDense,
    };
  });
}
