/** Snippets: single expressions in every combination of the words, random expressions, and random whole templates. */
import { makeDetail } from "./details.ts";
import type { Random } from "./random.ts";
import {
  filters,
  formatSpecs,
  methods,
  operators,
  percentFormats,
  tests,
  values,
} from "./words.ts";

export function makeSnippet(random: Random): string {
  const kind = random.below(16);
  if (kind < 5) return makeDetail(random);
  if (kind < 9) return makeSimple(random);
  if (kind < 12) return `{{ ${makeExpression(random, 3)} }}|`;
  return makeTemplate(random);
}

function makeSimple(random: Random): string {
  const value = random.pick(values);
  switch (random.below(9)) {
    case 0:
    case 1:
      return `{{ (${value})|${random.pick(filters)} }}|`;
    case 2:
    case 3:
      return `{{ (${value})${random.pick(methods)} }}|`;
    case 4:
      return `{{ (${value}) is ${random.chance(0.3) ? "not " : ""}${random.pick(tests)} }}|`;
    case 5:
      return `{{ (${value}) ${random.pick(operators)} (${random.pick(values)}) }}|`;
    case 6:
      return `{{ '${random.pick(percentFormats)}' % ${random.chance(0.5) ? `(${value})` : `(${value}, ${random.pick(values)})`} }}|`;
    case 7:
      return `{{ '{:${random.pick(formatSpecs)}}'.format(${value}) }}|`;
    default:
      return `{{ '${makeFormat(random)}'.format(${value}, ${random.pick(values)}, k=${random.pick(values)}) }}|`;
  }
}

function makeFormat(random: Random): string {
  const fields = [
    "{}",
    "{0}",
    "{1!r}",
    "{k}",
    "{k!s:>8}",
    "{0[0]}",
    "{0.role}",
    "{k[a]}",
    "{{",
    "}}",
    "{:{}}",
    "{2}",
    "{",
    "{!a}",
    "{0!r:^12}",
    "{1:>{0}}",
    "t",
  ];
  return Array.from({ length: 1 + random.below(3) }, () => random.pick(fields)).join("");
}

function makeExpression(random: Random, depth: number): string {
  if (depth === 0 || random.chance(0.2)) return random.pick(values);
  const inner = (): string => makeExpression(random, depth - 1);
  const some = (): string => `(${inner()})`;
  switch (random.below(14)) {
    case 0:
    case 1:
    case 2:
      return `${some()}|${random.pick(filters)}`;
    case 3:
    case 4:
      return `${some()}${random.pick(methods)}`;
    case 5:
      return `${some()} is ${random.pick(tests)}`;
    case 6:
    case 7:
      return `${some()} ${random.pick(operators.filter((operator) => operator !== "**"))} ${some()}`;
    case 8:
      return `[${inner()}, ${inner()}]`;
    case 9:
      return `{'k': ${inner()}, ${random.pick(["'j'", "1", "none", "1.0", "(1,2)"])}: ${inner()}}`;
    case 10:
      return `${some()} if ${some()}${random.chance(0.7) ? ` else ${some()}` : ""}`;
    case 11:
      return random.pick([`not ${some()}`, `-${some()}`, `+${some()}`]);
    case 12:
      return `${some()} ${random.pick(["<", "==", "!=", "in"])} ${some()} ${random.pick(["<=", "==", "not in"])} ${some()}`;
    default:
      return `(${inner()}, ${inner()})${random.pick(["", "[0]", "|join", "|list"])}`;
  }
}

function makeTemplate(random: Random): string {
  const count = 1 + random.below(4);
  const parts = Array.from({ length: count }, () => makePart(random, 3, false));
  return `${parts.join("")}${random.pick(["", "|", "\n", "\n\n", " "])}`;
}

const texts = [
  "a",
  " ",
  "\n",
  "  \n",
  "\n  ",
  "b\n",
  "\t",
  " x ",
  "\r\n",
  "\n\n",
  "é",
  "{ ",
  "} }",
  "#}",
  "%",
];
const names = ["x", "y", "n", "m", "messages", "words", "f", "ns"];
const open = ["{%", "{%", "{%-", "{%+", "{%- "];
const close = ["%}", "%}", "-%}", " -%}", "+%}"];

function makePart(random: Random, depth: number, isInLoop: boolean): string {
  const tag = (text: string): string => `${random.pick(open)} ${text} ${random.pick(close)}`;
  const body = (inLoop = isInLoop): string => {
    const count = 1 + random.below(3);
    return Array.from({ length: count }, () => makePart(random, depth - 1, inLoop)).join("");
  };
  const value = (): string => (random.chance(0.4) ? random.pick(names) : makeExpression(random, 1));
  const kinds = depth === 0 ? 6 : 19;
  switch (random.below(kinds)) {
    case 0:
    case 1:
      return random.pick(texts) + random.pick(texts);
    case 2:
      return `${random.pick(["{{", "{{", "{{-", "{{+"])} ${random.pick([...names, "loop.index", "loop.last", "loop", "m.role", "ns.v", "f(x)", "f()", "y|default('-')"])} ${random.pick(["}}", "}}", "-}}"])}`;
    case 3:
      return `{{ ${value()} }}`;
    case 4:
      return tag(
        `set ${random.pick(["x", "y", "n", "x, y", "ns.v", "ns"])} = ${random.pick([value(), value(), "namespace(v=1)", "namespace(v=[])", "(ns.v or 0) ~ 'q'", "loop.index"])}`,
      );
    case 5:
      return random.pick([
        "{# c #}",
        "{#- c -#}",
        "{#+ c +#}\n",
        "{# a\nb #}",
        " {# c #}\n",
        tag("raw") + random.pick([" {{ x }} \n", "\n {% if %}\n  "]) + tag("endraw"),
      ]);
    case 6:
    case 7: {
      const otherwise = random.chance(0.3) ? tag("else") + body() : "";
      const elif = random.chance(0.2) ? tag(`elif ${value()}`) + body() : "";
      return tag(`if ${value()}`) + body() + elif + otherwise + tag("endif");
    }
    case 8:
    case 9:
    case 10: {
      const target = random.pick(["m", "x", "x, y", "m", "x, (y, n)"]);
      const list = random.pick([
        ...[
          "messages",
          "words",
          "numbers",
          "range(3)",
          "d.items()",
          "nothing",
          "words|map('upper')",
          "table|groupby('n')",
          "[[1,[2,3]],[4,[5,6]]]",
          "'ab'",
          "d",
        ],
        value(),
      ]);
      const test = random.pick([
        "",
        "",
        "",
        ` if ${random.pick(["m", "x", "x != 1", "loop", "m.role == 'user'", "x is string"])}`,
      ]);
      const otherwise = random.chance(0.2) ? tag("else") + body() : "";
      return (
        tag(`for ${target} in ${list}${test}`) +
        body(true) +
        makeLoopPart(random) +
        otherwise +
        tag("endfor")
      );
    }
    case 11:
      return (
        tag(`macro f(${random.pick(["", "x", "x, y='D'", "x=1, y=x", "m, n=2"])})`) +
        body(false) +
        random.pick([
          "",
          "{{ x }}{{ y }}",
          "{{ varargs }}{{ kwargs }}",
          "{{ caller() }}",
          "{{ caller and caller(1) }}",
        ]) +
        tag("endmacro")
      );
    case 12:
      return `{{ ${random.pick(["f()", "f(1)", "f(1, 2)", "f(x=3)", "f(1, 2, 3)", "f(*words)", "f(**{'x': 1})", "f.name", "f.arguments", "f"])} }}`;
    case 13:
      return (
        tag(`call${random.pick(["", "(u)", "(u, v=2)"])} f(${random.pick(["", "1", "x=2"])})`) +
        body(false) +
        random.pick(["", "{{ u }}", "{{ v }}"]) +
        tag("endcall")
      );
    case 14:
      return (
        tag(
          `set ${random.pick(["x", "y", "ns.v"])}${random.pick(["", " | upper", " | trim | replace('a', 'b')", " | length"])}`,
        ) +
        body() +
        tag("endset")
      );
    case 15:
      return (
        tag(
          `filter ${random.pick(["upper", "trim", "replace('a', 'Z')|indent(2)", "length", "e"])}`,
        ) +
        body() +
        tag("endfilter")
      );
    case 16:
      return (
        tag(`with ${random.pick(["x = 1", "x = y, y = 2", "x = n", "", "x, y = (1, 2)"])}`) +
        body() +
        tag("endwith")
      );
    case 17:
      return random.pick([
        tag("generation") + body(false) + tag("endgeneration"),
        tag("block b") + body(false) + tag("endblock"),
        tag("print x, 'q'"),
        tag(`set x = ${value()}`),
      ]);
    default: {
      const loop = tag("for x in [[1,[2]],[3,[]]] recursive");
      return `${loop}${random.pick(["{{ x if x is number else loop(x) }}", "{{ loop.depth }}{{ loop(x[1]) if x is iterable }}", "({{ loop.index }}{% if x is iterable %}{{ loop(x) }}{% endif %})"])}${tag("endfor")}`;
    }
  }
}

function makeLoopPart(random: Random): string {
  const read = [
    "index",
    "index0",
    "revindex",
    "revindex0",
    "first",
    "last",
    "length",
    "previtem",
    "nextitem",
    "depth",
    "cycle('a','b')",
    "changed(x)",
    "changed(m.role)",
    "cycle()",
  ];
  const parts = [
    "",
    "",
    `{{ loop.${random.pick(read)} }}`,
    `{{ loop.${random.pick(read)} }},{{ loop.${random.pick(read)} }}`,
    "{% if loop.first %}{% continue %}{% endif %}{{ x }}",
    "{% if loop.index == 2 %}{% break %}{% endif %}",
    "{% set x = 5 %}{{ x }}",
    "{% set y = (y|default(0)) ~ 1 %}{{ y }}",
  ];
  return random.pick(parts);
}
