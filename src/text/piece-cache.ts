/** Remembers the ids of short pieces of text: most of a text is the same words again. */

/** Pieces are words: 65536 of them hold most of a book, in a few MB. Longer ones hardly come twice. */
const maxPieces = 65536;
const maxPieceLength = 64;

export function cachePieces(
  encodePiece: (piece: string) => readonly number[],
): (piece: string) => readonly number[] {
  const known = new Map<string, readonly number[]>();
  return (piece) => {
    const found = known.get(piece);
    if (found !== undefined) return found;
    const ids = encodePiece(piece);
    if (piece.length > maxPieceLength) return ids;
    if (known.size >= maxPieces) known.clear();
    // A copy: a slice would keep the whole text that it was cut from.
    known.set(` ${piece}`.slice(1), ids);
    return ids;
  };
}
