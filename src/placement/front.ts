/**
 * A front: the choices of one layer, or of a family of layers, that no other choice beats.
 * Bytes rise strictly, costs fall strictly. `tags` say what a point stands for: hot groups, or units of a table.
 */
export interface Front {
  readonly bytes: Float64Array;
  readonly costs: Float64Array;
  readonly tags: Uint32Array;
}

/** The undominated points of choices in rising order of bytes; the first of equals stays. */
export function paretoFront(points: {
  readonly bytes: ArrayLike<number>;
  readonly costs: ArrayLike<number>;
  readonly tags: ArrayLike<number>;
}): Front {
  const kept: number[] = [];
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < points.bytes.length; i++) {
    const cost = points.costs[i] ?? Number.POSITIVE_INFINITY;
    if (cost >= best) continue;
    best = cost;
    const previous = kept[kept.length - 1];
    if (previous !== undefined && points.bytes[previous] === points.bytes[i]) kept.pop();
    kept.push(i);
  }
  return {
    bytes: Float64Array.from(kept, (i) => points.bytes[i] ?? 0),
    costs: Float64Array.from(kept, (i) => points.costs[i] ?? 0),
    tags: Uint32Array.from(kept, (i) => points.tags[i] ?? 0),
  };
}

/** Index of the cheapest point within `capacity`, or -1: costs fall, so it is the last that fits. */
export function lastWithin(front: Front, capacity: number): number {
  let low = 0;
  let high = front.bytes.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((front.bytes[middle] ?? 0) <= capacity) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Indices of the lower convex hull of a front: the points that minimise cost + price * bytes for some price. */
export function lowerHull(front: Front): Uint32Array {
  const hull: number[] = [];
  for (let i = 0; i < front.bytes.length; i++) {
    while (
      hull.length > 1 &&
      !turnsUp(front, hull[hull.length - 2] ?? 0, hull[hull.length - 1] ?? 0, i)
    ) {
      hull.pop();
    }
    hull.push(i);
  }
  return Uint32Array.from(hull);
}

/** Whether b lies below the line from a to c. */
function turnsUp(front: Front, a: number, b: number, c: number): boolean {
  const slopeTo = (i: number): number =>
    ((front.costs[i] ?? 0) - (front.costs[a] ?? 0)) /
    ((front.bytes[i] ?? 0) - (front.bytes[a] ?? 0));
  return slopeTo(b) < slopeTo(c);
}

export function greatestCommonDivisor(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}

/** The largest unit that divides all bytes of a front; 0 when all are 0. */
export function byteUnit(front: Front): number {
  return front.bytes.reduce(greatestCommonDivisor, 0);
}
