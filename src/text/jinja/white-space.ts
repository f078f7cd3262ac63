/** White space as Python's str.isspace and re's \s have it; JavaScript's \s is another set. */

const members =
  "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";

/** To be put into a regular expression. */
export const spaceClass: string = `[${members}]`;
export const notSpaceClass: string = `[^${members}]`;

const oneSpace = new RegExp(spaceClass);

export function isSpace(character: string): boolean {
  return oneSpace.test(character);
}

/** str.lstrip() */
export function trimStart(text: string): string {
  let start = 0;
  while (start < text.length && isSpace(text.charAt(start))) start++;
  return text.slice(start);
}

/** str.rstrip() */
export function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && isSpace(text.charAt(end - 1))) end--;
  return text.slice(0, end);
}
