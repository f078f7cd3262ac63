/** Right values, by Python 3.11 and jinja2 3.1.6, of what the fixtures of template.test.ts touch rarely. */
import { describe, expect, it } from "vitest";
import { compileTemplate } from "./template.ts";

const now = new Date(2026, 2, 4, 5, 6, 7);

function render(template: string, variables: Record<string, string | null> = {}): string {
  return compileTemplate(template).render(variables, { now });
}

function refused(kind: string): unknown {
  return expect.objectContaining({ kind });
}

describe("white space", () => {
  it.each([
    ["a\r\nb\rc\n", "a\nb\nc"],
    ["{% if true %}\n\nx{% endif %}\n", "\nx"],
    ["  {% if true %}  x{% endif %}", "  x"],
    ["a  {% if true %}x{% endif %}", "a  x"],
    ["  {{ 1 }}\n", "  1"],
    ["\n  {#- c #}\n y", " y"],
    ["  {%+ if true %}x{% endif %}", "  x"],
    ["{% if true +%}\nx{% endif %}", "\nx"],
    ["{{ 1 -}} \n x", "1x"],
    ["{% raw %}\n{{ x }} {% endraw %}\n|", "\n{{ x }} |"],
    ["{% for i in 'ab' %}\n  {{ i }}\n{% endfor %}|", "  a\n  b\n|"],
  ])("%j is %j", (template, text) => {
    expect(render(template)).toBe(text);
  });
});

describe("scopes", () => {
  it.each([
    [
      "a loop's names end with each round",
      "{% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = x + 1 %}{% endfor %}{{ x }}",
      "111",
    ],
    ["an if has no scope", "{% if true %}{% set x = 1 %}{% endif %}{{ x }}", "1"],
    [
      "a name that a loop sets is not the template's before that",
      "{% for i in [1, 2] %}{{ y }}{% set y = i %}{% endfor %}",
      "YY",
    ],
    [
      "a macro sees what the template set last",
      "{% macro f() %}{{ x }}{% endmacro %}{% set x = 1 %}{{ f() }}{% set x = 2 %}{{ f() }}",
      "12",
    ],
    ["with has a scope", "{% with x = 1 %}{{ x }}{% endwith %}{{ x is defined }}", "1False"],
    [
      "a set block has a scope",
      "{% set t %}{% set x = 1 %}{{ x }}{% endset %}{{ t }}{{ x is defined }}",
      "1False",
    ],
    [
      "generation has a scope",
      "{% generation %}{% set x = 1 %}{{ x }}{% endgeneration %}{{ x is defined }}",
      "1False",
    ],
    [
      "a namespace has none",
      "{% set ns = namespace(n=0) %}{% for i in [1, 2] %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}",
      "3",
    ],
    [
      "a condition of a loop is tested when the item comes",
      "{% set ns = namespace(s='') %}{% for i in 'aba' if i not in ns.s %}{% set ns.s = ns.s ~ i %}{% endfor %}{{ ns.s }}",
      "ab",
    ],
    [
      "else runs also after a loop that continue left",
      "{% for i in [1] %}{% continue %}{% else %}E{% endfor %}",
      "E",
    ],
    [
      "loop.length counts what a generator has left",
      "{% for i in [1, 2]|map('int') %}{{ loop.index }}/{{ loop.length }} {% endfor %}",
      "1/2 2/2 ",
    ],
    [
      "a generator can be read once",
      "{% set g = [1, 2]|map('int') %}{{ g|list }}{{ g|list }}",
      "[1, 2][]",
    ],
    [
      "a recursive loop counts its depth",
      "{% for x in [1, [2, [3]]] recursive %}{{ loop.depth }}{{ loop(x) if x is iterable }}{% endfor %}",
      "11223",
    ],
  ])("%s", (_, template, text) => {
    expect(render(template, { y: "Y" })).toBe(text);
  });
});

describe("numbers", () => {
  it.each([
    ["{{ 9007199254740993 + 1 }}", "9007199254740994"],
    ["{{ 2 ** 100 }}", "1267650600228229401496703205376"],
    ["{{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 7.5 // -2 }}", "-4 2 3.5 -4.0"],
    [
      "{{ 1e16 }} {{ 1e15 }} {{ 0.0001 }} {{ 0.00001 }} {{ 1.0 }}",
      "1e+16 1000000000000000.0 0.0001 1e-05 1.0",
    ],
    ["{{ 2.5|round }} {{ 3.5|round }} {{ 2.675|round(2) }} {{ 25|round(-1) }}", "2.0 4.0 2.67 20"],
    ["{{ 1.1 ** 10 }} {{ 2 ** -2 }}", "2.5937424601000023 0.25"],
    ["{% set x = 2 %}{{ -2 ** x }} {{ -2 ** 2 }}", "-4 4"],
    ["{{ '{:.0}|{:.2}|{:#}|{:#.3}'.format(0.0, 10.0, 1e20, 0.1) }}", "0e+00|1e+01|1.e+20|0.100"],
    ["{{ true + 1 }} {{ 1 == 1.0 }} {{ {1: 'a', 1.0: 'b', true: 'c'} }}", "2 True {1: 'c'}"],
    [
      "{{ '%.2e %g %05d %x %s' % (12345.678, 1e-5, -42, 255, none) }}",
      "1.23e+04 1e-05 -0042 ff None",
    ],
    [
      "{{ '{:>6,.1f}|{:^7}|{:#x}|{!r:>5}'.format(1234.56, 'é', 255, 'q') }}",
      "1,234.6|   é   |0xff|  'q'",
    ],
  ])("%s is %j", (template, text) => {
    expect(render(template)).toBe(text);
  });
});

describe("texts", () => {
  it.each([
    ["{{ '🦙é'|length }}{{ '🦙é'[1] }}{{ '🦙é'[::-1] }}{{ '🦙é'.find('é') }}", "2éé🦙1"],
    ["{{ ['a\\'b', 'a\"b', '\\x7f\\u2028\\n🦙'] }}", "[\"a'b\", 'a\"b', '\\x7f\\u2028\\n🦙']"],
    ["{{ 'ΑΣ ΟΔΟΣ'.title() }} {{ 'ßa'|capitalize }} {{ 'ǆ'.title() }}", "Ας Οδος Ssa ǅ"],
    ['{{ "they\'re o\'neil-x"|title }} {{ "they\'re".title() }}', "They're O'neil-X They'Re"],
    ["{{ 'a\\x1cb\\r\\nc\\u2028d'.splitlines() }}", "['a', 'b', 'c', 'd']"],
    ["{{ ' a  b '.rsplit(none, 1) }}{{ ' a  b '.split(none, 1) }}", "[' a', 'b']['a', 'b ']"],
    ["{{ '\\é' }}", "\\xe9"],
    [
      "{{ ('<b>'|e) + '<i>' }}{{ ('<b>'|e) is escaped }}{{ ['<'|e] }}",
      "&lt;b&gt;&lt;i&gt;True[Markup('&lt;')]",
    ],
    ["{{ {'b': 1, 'a': ['é', 1.0, none]}|tojson }}", '{"b": 1, "a": ["é", 1.0, null]}'],
    ["{{ 'é\\x7f🦙'|tojson(ensure_ascii=true) }}", '"\\u00e9\\u007f\\ud83e\\udd99"'],
    ["{{ {'b': [], 'a': {}}|tojson(indent=2, sort_keys=true) }}", '{\n  "a": {},\n  "b": []\n}'],
    ["{{ none }}{{ true }}{{ [none, true] }}{{ (1,) }}{{ {}.x }}", "NoneTrue[None, True](1,)"],
  ])("%s is %j", (template, text) => {
    expect(render(template)).toBe(text);
  });
});

describe("strftime_now", () => {
  it.each([
    ["%d %b %Y", "04 Mar 2026"],
    ["%B %-d, %Y", "March 4, 2026"],
    ["%A %H:%M:%S %p %j %U %V %G", "Wednesday 05:06:07 AM 063 09 10 2026"],
    ["%Y-%m-%d %e%%", "2026-03-04  4%"],
  ])("%s is %s", (format, text) => {
    expect(render(`{{ strftime_now('${format}') }}`)).toBe(text);
  });

  it("refuses directives that differ between C libraries", () => {
    expect(() => render("{{ strftime_now('%Q') }}")).toThrow(refused("unsupported"));
  });
});

describe("what Python refuses", () => {
  it.each([
    ["undefined", "{{ x.y }}"],
    ["undefined", "{{ x + 1 }}"],
    ["security", "{{ [].append(1) }}"],
    ["security", "{{ ''.__class__.__mro__ }}"],
    ["type", "{{ 'a' + 1 }}"],
    ["type", "{{ [3, 'a']|sort }}"],
    ["type", "{{ 'a'|upper(1) }}"],
    ["type", "{{ x() }}{{ 1() }}"],
    ["value", "{{ 1 / 0 }}"],
    ["value", "{% set a, b = [1] %}"],
    ["lookup", "{{ '{a}'.format(b=1) }}"],
    ["syntax", "{{ x|nope }}"],
    ["syntax", "{% do x %}"],
    ["syntax", "{% break %}"],
    ["syntax", "{% if x %}"],
    ["raised", "{{ raise_exception('no') }}"],
  ])("is an error of kind %s: %s", (kind, template) => {
    const expected = template.includes("x()") ? "undefined" : kind;
    expect(() => render(template)).toThrow(refused(expected));
  });
});

describe("what this engine does not do", () => {
  it.each([
    ["an address in memory", "{{ 'a'.upper }}"],
    ["random", "{{ [1, 2]|random }}{{ lipsum() }}"],
    ["{% include %}", "{% include 'x' %}"],
    ["{% autoescape %}", "{% autoescape true %}{% endautoescape %}"],
    ["bytes", "{{ 'a'.encode() }}"],
    ["complex number", "{{ (-8) ** 0.5 }}"],
  ])("is refused by name: %s", (name, template) => {
    expect(() => render(template)).toThrow(refused("unsupported"));
    expect(() => render(template)).toThrow(name);
  });

  it("fails only where it is reached", () => {
    expect(render("{% if false %}{% include 'x' %}{{ y|nope }}{% endif %}ok")).toBe("ok");
  });
});
