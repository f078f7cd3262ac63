/** Names of models for an error: all of a few, else those nearest to what was typed. */
import { editDistance } from "../../core/edit-distance.ts";

const maxNames = 8;

export function nearNames(name: string, names: readonly string[]): readonly string[] {
  if (names.length <= maxNames) return names;
  const nearest = [...names].sort((a, b) => editDistance(a, name) - editDistance(b, name));
  return [...nearest.slice(0, maxNames), `and ${names.length - maxNames} others`];
}
