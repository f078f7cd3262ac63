/** Snippets about one thing each, with random numbers and texts: what a list of words would hardly hit. */
import type { Random } from "./random.ts";

export function makeDetail(random: Random): string {
  return random.pick(makers)(random);
}

const makers: readonly ((random: Random) => string)[] = [
  (random) => `{{ ${literal(random)} }}|`,
  (random) => `{{ ${literal(random)} ~ ${literal(random)}|length }}|`,
  (random) => `{{ [${literal(random)}] }}|`,
  (random) => `{{ strftime_now('${timeFormat(random)}') }}|`,
  (random) => `{{ ${text(random)}.${textMethod(random)} }}|`,
  (random) => `{{ ${text(random)}.${textMethod(random)} }}|`,
  (random) => `{{ (${text(random)}|e).${textMethod(random)} }}|`,
  (random) => `{{ ${text(random)}${slice(random)} }}|{{ ${list(random)}${slice(random)} }}`,
  (random) => `{{ '{:${formatSpec(random)}}'.format(${anyNumber(random)}) }}|`,
  (random) => `{{ '{:${formatSpec(random)}}'.format(${text(random)}) }}|`,
  (random) =>
    `{{ '${percent(random)}' % (${random.chance(0.7) ? anyNumber(random) : text(random)},) }}|`,
  (random) =>
    `{{ ${anyNumber(random)} ${random.pick(["+", "-", "*", "/", "//", "%"])} ${anyNumber(random)} }}|`,
  (random) =>
    `{{ ${anyNumber(random)} }} {{ ${anyNumber(random)}|tojson }} {{ [${anyNumber(random)}] }}`,
  (random) =>
    `{{ ${anyNumber(random)}|round(${random.below(6) - 2}${random.pick(["", "", ", 'ceil'", ", 'floor'"])}) }}|`,
  (random) => `{{ ${small(random)} ** ${random.below(9) - 3} }}|`,
  (random) =>
    `{{ ${anyNumber(random)} ${random.pick(["<", "==", ">=", "!="])} ${anyNumber(random)} }}|`,
  (random) =>
    `{{ ${quoted(random, numberText(random))}|${random.pick(["int", "float", "int(9, 16)", "int(base=0)", "int(base=2)", "float(1)"])} }}|`,
  (random) =>
    `{{ ${list(random)}|${random.pick(["sort", "unique|list", "max", "min", "sort(case_sensitive=true)", "join('-')", "tojson", "batch(2)|list", "slice(2, 0)|list", "map('string')|list", "select('lt', 'b')|list", "first", "last", "sum", "pprint", "groupby(0)|list", "reverse|list"])} }}|`,
  (random) =>
    `{{ ${text(random)}|${random.pick(["title", "capitalize", "trim", "wordwrap(5)", "wordcount", "indent(1)", "truncate(4, leeway=0)", "truncate(5, true)", "center(9)", "urlencode", "striptags", "e", "tojson", "tojson(ensure_ascii=true)", "pprint", "upper", "lower", "reverse", "list", "length", "urlize", "replace('a', '<')", "format(1)"])} }}|`,
  (random) =>
    `{{ ${text(random)} is ${random.pick(["upper", "lower", "in 'abcé'", "string"])} }}{{ ${text(random)} < ${text(random)} }}{{ ${text(random)} in ${text(random)} }}`,
  (random) =>
    `{{ {${quoted(random, raw(random))}: ${text(random)}, ${small(random)}: ${list(random)}}|${random.pick(["tojson", "tojson(indent=1)", "pprint", "dictsort", "string", "xmlattr", "urlencode", "list", "items|list"])} }}|`,
  (random) => whiteSpace(random),
  (random) => whiteSpace(random),
];

const alphabet = [
  "a",
  "b",
  "B",
  "a",
  "b",
  " ",
  " ",
  "-",
  ".",
  ",",
  "\\t",
  "\\n",
  "\\r\\n",
  "\\xa0",
  "é",
  "🦙",
  "ß",
  "Σ",
  "ς",
  "ǆ",
  "İ",
  "1",
  "²",
  "٣",
  "<",
  "&",
  "\\'",
  '"',
  "\\\\",
  "\\x1c",
  "\\u2028",
  "_",
  "'",
  "ﬁ",
  "ŉ",
];

function raw(random: Random): string {
  return Array.from({ length: random.below(9) }, () => random.pick(alphabet)).join("");
}

function quoted(_: Random, inside: string): string {
  return `'${inside.replaceAll(/(?<!\\)'/g, "\\'")}'`;
}

function text(random: Random): string {
  return quoted(random, raw(random));
}

function literal(random: Random): string {
  const pieces = [
    "a",
    "\\n",
    "\\t",
    "\\x41",
    "\\u00e9",
    "\\U0001f999",
    "\\101",
    "\\7",
    "\\q",
    "\\é",
    "\\\\",
    "\\'",
    '\\"',
    "é",
    "🦙",
    "\\\n",
    "\n",
    "\\0",
    "\\x4",
    "\\N{BULLET}",
    "\\u12",
    "\\a\\b\\f\\v",
    "%",
    "{{",
    "#}",
  ];
  const mark = random.pick(["'", '"']);
  return mark + Array.from({ length: random.below(5) }, () => random.pick(pieces)).join("") + mark;
}

function timeFormat(random: Random): string {
  const letters = "aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYzZ%fEQ";
  const part = (): string =>
    `%${random.pick(["", "", "", "-", "_", "0", "^", "#", "5"])}${random.pick([...letters])}`;
  return Array.from({ length: 1 + random.below(4) }, part)
    .join(random.pick([" ", "/", ""]))
    .replaceAll("%s", "%S");
}

function textMethod(random: Random): string {
  const part = (): string => quoted(random, random.pick([random.pick(alphabet), raw(random), ""]));
  const index = (): string =>
    random.pick([
      "",
      `, ${random.below(12) - 4}`,
      `, ${random.below(12) - 4}, ${random.below(12) - 4}`,
      ", none, 3",
    ]);
  const count = (): number => random.below(6) - 1;
  const name = random.pick([
    "strip",
    "lstrip",
    "rstrip",
    "split",
    "rsplit",
    "splitlines",
    "find",
    "rfind",
    "index",
    "count",
    "startswith",
    "endswith",
    "partition",
    "rpartition",
    "replace",
    "center",
    "ljust",
    "rjust",
    "zfill",
    "title",
    "capitalize",
    "swapcase",
    "casefold",
    "upper",
    "lower",
    "expandtabs",
    "removeprefix",
    "removesuffix",
    "join",
    "isalpha",
    "isdigit",
    "isspace",
    "istitle",
    "isupper",
    "isnumeric",
    "isidentifier",
    "isprintable",
    "translate",
  ]);
  switch (name) {
    case "strip":
    case "lstrip":
    case "rstrip":
    case "removeprefix":
    case "removesuffix":
    case "partition":
    case "rpartition":
      return `${name}(${name.endsWith("strip") && random.chance(0.4) ? "" : part()})`;
    case "split":
    case "rsplit":
      return `${name}(${random.pick(["", part(), `none, ${count()}`, `${part()}, ${count()}`])})`;
    case "find":
    case "rfind":
    case "index":
    case "count":
    case "startswith":
    case "endswith":
      return `${name}(${part()}${index()})`;
    case "replace":
      return `${name}(${part()}, ${part()}${random.pick(["", `, ${count()}`])})`;
    case "center":
    case "ljust":
    case "rjust":
      return `${name}(${random.below(14)}${random.pick(["", ", '*'", ", '🦙'"])})`;
    case "zfill":
    case "expandtabs":
      return `${name}(${random.below(12)})`;
    case "splitlines":
      return `${name}(${random.pick(["", "true"])})`;
    case "join":
      return `${name}(${list(random)})`;
    case "translate":
      return `${name}({97: ${part()}, 98: none})`;
    default:
      return `${name}()`;
  }
}

function slice(random: Random): string {
  const bound = (): string => (random.chance(0.3) ? "" : String(random.below(14) - 7));
  return random.pick([
    `[${bound()}:${bound()}]`,
    `[${bound()}:${bound()}:${random.pick(["1", "2", "-1", "-2", "3", "0"])}]`,
    `[${random.below(14) - 7}]`,
  ]);
}

function list(random: Random): string {
  const kind = random.below(4);
  const item = (): string =>
    kind === 0
      ? small(random)
      : kind === 1
        ? text(random)
        : kind === 2
          ? `[${small(random)}, ${text(random)}]`
          : random.pick([small(random), text(random), "none", "true"]);
  return `[${Array.from({ length: random.below(6) }, item).join(", ")}]`;
}

function small(random: Random): string {
  return random.pick([
    String(random.below(20)),
    `-${random.below(9)}`,
    `${random.below(9)}.5`,
    "true",
    `${random.below(5)}.0`,
    "0.1",
  ]);
}

function anyNumber(random: Random): string {
  const digits = (most: number): string =>
    String(Math.floor(random.next() * 10 ** (1 + random.below(most))));
  switch (random.below(8)) {
    case 0:
      return small(random);
    case 1:
      return digits(15);
    case 2:
      return `${digits(15)}${digits(15)}`.replace(/^0+(?=.)/, "");
    case 3:
      return `-${digits(6)}.${digits(8)}`;
    case 4:
      return `${digits(3)}.${digits(15)}`;
    case 5:
      return `${digits(3)}e${random.below(40) - 20}`;
    case 6:
      return `-${digits(4)}.${random.pick(["5", "25", "125", "375", "05", "005"])}`;
    default:
      return `${digits(2)}.${digits(3)}e-${random.below(320)}`;
  }
}

function numberText(random: Random): string {
  const pieces = [
    "1",
    "0",
    "12",
    "_",
    ".",
    "e5",
    "-",
    "+",
    " ",
    "0x",
    "0b1",
    "f",
    "inf",
    "nan",
    "٣",
    "\\n",
    "E-2",
    "infinity",
    "a",
  ];
  return Array.from({ length: 1 + random.below(4) }, () => random.pick(pieces)).join("");
}

function formatSpec(random: Random): string {
  return [
    random.pick(["", "", "*", "0", "é", "<"]),
    random.pick(["", "<", ">", "^", "="]),
    random.pick(["", "", "+", " ", "-"]),
    random.pick(["", "", "#"]),
    random.pick(["", "", "0"]),
    random.pick(["", "", "3", "8", "15", "22"]),
    random.pick(["", "", ",", "_"]),
    random.pick(["", "", ".0", ".1", ".3", ".10", ".17"]),
    random.pick([
      "",
      "",
      "d",
      "e",
      "E",
      "f",
      "F",
      "g",
      "G",
      "%",
      "n",
      "s",
      "x",
      "b",
      "o",
      "X",
      "c",
    ]),
  ].join("");
}

function percent(random: Random): string {
  return `%${random.pick(["", "", "-", "0", "+", " ", "#", "0+", "-0", "#0"])}${random.pick(["", "", "3", "9", "14"])}${random.pick(["", "", ".", ".0", ".2", ".6", ".17"])}${random.pick([..."diouxXeEfFgGcrsa%"])}`;
}

/** Tags with every sign, between every kind of white space. */
function whiteSpace(random: Random): string {
  const gap = (): string =>
    Array.from({ length: random.below(4) }, () =>
      random.pick([" ", "\n", "  ", "\t", "a", "\r\n", "\r", "\n\n", "\u00a0", "\v", "b "]),
    ).join("");
  const sign = (): string => random.pick(["", "", "-", "+"]);
  const tags: readonly (() => string)[] = [
    () => `{{${random.pick(["", "-"])} 1 ${random.pick(["", "-"])}}}`,
    () => `{#${sign()} c ${sign()}#}`,
    () => `{%${sign()} set x = 1 ${sign()}%}`,
    () => `{%${sign()} if true ${sign()}%}${gap()}{%${sign()} endif ${sign()}%}`,
    () =>
      `{%${sign()} for i in 'ab' ${sign()}%}${gap()}{{ i }}${gap()}{%${sign()} endfor ${sign()}%}`,
    () =>
      `{%${sign()} raw ${random.pick(["", "-"])}%}${gap()}{{ y }}${gap()}{%${sign()} endraw ${sign()}%}`,
    () => `{%${sign()}set y%}${gap()}{%endset${sign()}%}[{{ y }}]`,
  ];
  return (
    gap() + Array.from({ length: 1 + random.below(4) }, () => random.pick(tags)() + gap()).join("")
  );
}
