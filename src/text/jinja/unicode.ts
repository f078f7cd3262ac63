/**
 * What Unicode knows and JavaScript does not tell: title case, case folding, digits and numerals.
 * Made from Python 3.11 (Unicode 14); the rest of Python's character classes are \p classes.
 */

/** Ideographs that are numbers. */
const numerals: ReadonlySet<string> = new Set(
  "㐅㒃㠪㭍一七万三九二五亖亿什仟仨伍佰億兆兩八六十千卄卅卌叁参參叄四壱壹幺廾廿弌弍弎弐拾捌柒漆玖百肆萬貮貳贰阡陆陌陸零\uf96b\uf973" +
    "\uf978\uf9b2\uf9d1\uf9d3\uf9fd\u{20001}\u{20064}\u{200e2}\u{20121}" +
    "\u{2092a}\u{20983}\u{2098c}\u{2099c}\u{20aea}\u{20afd}\u{20b19}" +
    "\u{22390}\u{22998}\u{23b1b}\u{2626d}\u{2f890}",
);

const digit =
  /^[\u00b2\u00b3\u00b9\u1369-\u1371\u19da\u2070\u2074-\u2079\u2080-\u2089\u2460-\u2468\u2474-\u247c\u2488-\u2490\u24ea\u24f5-\u24fd\u24ff\u2776-\u277e\u2780-\u2788\u278a-\u2792\u{10a40}-\u{10a43}\u{10e60}-\u{10e68}\u{11052}-\u{1105a}\u{1f100}-\u{1f10a}\p{Nd}]$/u;
const number = /^\p{N}$/u;

/** str.isdigit() of one character: decimals, superscripts, digits in circles. */
export function isDigit(character: string): boolean {
  return digit.test(character);
}

/** str.isnumeric() of one character. */
export function isNumeric(character: string): boolean {
  return number.test(character) || numerals.has(character);
}

/** The value of a decimal digit of any script; undefined for other characters. */
export function decimalValue(character: string): number | undefined {
  if (character >= "0" && character <= "9" && character.length === 1) return Number(character);
  const code = character.codePointAt(0);
  if (code === undefined || !/^\p{Nd}$/u.test(character)) return undefined;
  let zero = code;
  while (code - zero < 9 && /^\p{Nd}$/u.test(String.fromCodePoint(zero - 1))) zero--;
  return code - zero;
}

/** Upper case, but for letters that stand for two and for those that have no capital at the start of a word. */
export function titleCaseOf(character: string): string {
  const special = titles[character];
  if (special !== undefined) return special;
  if (/^[\p{Lt}\u10d0-\u10fa\u10fd-\u10ff]$/u.test(character)) return character;
  const code = character.codePointAt(0) ?? 0;
  if (code >= 0x1f80 && code <= 0x1faf) return String.fromCodePoint(code | 8);
  const upper = character.toUpperCase();
  if (upper.length === character.length || character === "\u0149") return upper;
  return upper.charAt(0) + upper.slice(1).toLowerCase();
}

const titles: Readonly<Record<string, string>> = {
  Ǆ: "ǅ",
  ǆ: "ǅ",
  Ǉ: "ǈ",
  ǉ: "ǈ",
  Ǌ: "ǋ",
  ǌ: "ǋ",
  Ǳ: "ǲ",
  ǳ: "ǲ",
  "\u1fb2": "\u1fba\u0345",
  "\u1fb3": "\u1fbc",
  "\u1fb4": "\u0386\u0345",
  "\u1fb7": "\u1fbc\u0342",
  "\u1fc2": "\u1fca\u0345",
  "\u1fc3": "\u1fcc",
  "\u1fc4": "\u0389\u0345",
  "\u1fc7": "\u1fcc\u0342",
  "\u1ff2": "\u1ffa\u0345",
  "\u1ff3": "\u1ffc",
  "\u1ff4": "\u038f\u0345",
  "\u1ff7": "\u1ffc\u0342",
};

/** str.casefold() of one character. */
export function foldCase(character: string): string {
  if (character === "ı") return character;
  if (character === "ẞ") return "ss";
  if (/^\p{Script=Cherokee}$/u.test(character)) return character.toUpperCase();
  return character.toUpperCase().toLowerCase();
}
