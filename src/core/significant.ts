/** Numbers as people read them. */

/** A number to so many digits, without an exponent: 12346 is "12350" to four, 0.5 is "0.5". */
export function significant(value: number, digits: number): string {
  return String(Number(value.toPrecision(digits)));
}
