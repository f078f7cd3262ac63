/** Round values for the axis of a plot: 1, 2, 2.5 or 5 times a power of ten apart. Pure. */

/** Rising multiples of one round step; the first is at most `lowest`, the last at least `highest`; about `count` steps. */
export function axisTicks(lowest: number, highest: number, count: number): readonly number[] {
  const wanted = (highest - lowest) / count;
  if (!(wanted > 0)) return [lowest, lowest + 1];
  const power = 10 ** Math.floor(Math.log10(wanted));
  const step = power * (roundSteps.find((round) => round * power >= wanted * almost) ?? 10);
  const first = Math.floor(lowest / step + 1 - almost);
  const last = Math.ceil(highest / step - 1 + almost);
  return Array.from({ length: last - first + 1 }, (_, i) => withoutNoise((first + i) * step));
}

const roundSteps: readonly number[] = [1, 2, 2.5, 5, 10];
/** A division that should be whole may miss by a rounding: that is no reason for another tick. */
const almost = 1 - 1e-9;

/** 0.30000000000000004 is 0.3. */
function withoutNoise(value: number): number {
  return Number(value.toPrecision(12)) + 0;
}
