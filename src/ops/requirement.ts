/** One thing that must hold of a program, as data: what was expected and what was found. */
import type { Weight } from "./op.ts";

export interface Requirement {
  readonly isMet: boolean;
  readonly expected: string;
  readonly found: string;
}

export function requires(isMet: boolean, expected: string, found: string | number): Requirement {
  return { isMet, expected, found: String(found) };
}

export function isMatrix(weight: Weight, [rows, columns]: readonly [number, number]): Requirement {
  const isMet = weight.rows === rows && weight.columns === columns;
  return requires(
    isMet,
    `${weight.name} [${rows}, ${columns}]`,
    `[${weight.rows}, ${weight.columns}]`,
  );
}

/** Met by an absent vector too. */
export function isVector(weight: Weight | undefined, length: number): Requirement {
  return weight === undefined
    ? requires(true, "nothing", "nothing")
    : isMatrix(weight, [1, length]);
}
