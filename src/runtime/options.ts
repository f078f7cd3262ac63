/** Checks that an options object has only keys that exist: a misspelt option is an error, never ignored. */
import { OptionError } from "../core/errors.ts";

/** @throws OptionError naming the first unknown key and the known one nearest to it, or all where none is near. */
export function checkKeys(options: object, known: readonly string[], what: string): void {
  const unknown = Object.keys(options).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  const nearest = known.reduce((best, key) =>
    distance(unknown, key) < distance(unknown, best) ? key : best,
  );
  const isNear = distance(unknown, nearest) <= unknown.length / 2;
  const expected = isNear ? `did you mean "${nearest}"?` : `the options are ${known.join(", ")}`;
  throw new OptionError(`${what} option`, `"${unknown}"`, `one that exists; ${expected}`);
}

/** Levenshtein distance, case ignored. */
function distance(a: string, b: string): number {
  const left = a.toLowerCase();
  const right = b.toLowerCase();
  let previous = Array.from({ length: right.length + 1 }, (_, i) => i);
  for (let i = 1; i <= left.length; i++) {
    const row = [i];
    for (let j = 1; j <= right.length; j++) {
      const substitution = (previous[j - 1] ?? 0) + Number(left[i - 1] !== right[j - 1]);
      row.push(Math.min(substitution, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    previous = row;
  }
  return previous[right.length] ?? 0;
}
