/** The one name of what is counted, placed, exchanged and shown of feed-forward layers (docs/decisions/0033-block-ref.md). */

/** A layer's own block, whose units are neurons; or the experts that its router chooses from, which are units themselves. */
export interface BlockRef {
  readonly layer: number;
  /** Absent: the block. A layer may have one beside its experts. */
  readonly ofExperts?: true;
}

/** A number for each, rising with the layer; a layer's experts stand behind its block. */
export function blockKey({ layer, ofExperts }: BlockRef): number {
  return 2 * layer + (ofExperts === true ? 1 : 0);
}
