/** Where marks stand in a text. */

export interface FoundMark {
  readonly at: number;
  readonly mark: string;
}

/** The first of the marks in the text; of two at one place, the longer. */
export function findFirst(text: string, marks: readonly string[]): FoundMark | undefined {
  let first: FoundMark | undefined;
  for (const mark of marks) {
    const at = text.indexOf(mark);
    if (at < 0) continue;
    const isFirst = first === undefined || at < first.at;
    if (isFirst || (at === first?.at && mark.length > first.mark.length)) first = { at, mark };
  }
  return first;
}

/** Length of the longest end of the text that begins a mark. */
export function countPartialMark(text: string, marks: readonly string[]): number {
  let longest = 0;
  for (const mark of marks) {
    for (let length = Math.min(mark.length - 1, text.length); length > longest; length--) {
      if (text.endsWith(mark.slice(0, length))) longest = length;
    }
  }
  return longest;
}
