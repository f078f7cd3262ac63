import { describe, expect, it } from "vitest";
import { compileTemplate } from "./template.ts";

/** Short templates that would fill the memory, run for hours or overflow the stack. */
const hostile: readonly (readonly [name: string, template: string])[] = [
  [
    "doubles a text by *",
    "{% set ns = namespace(s='xx') %}{% for i in range(26) %}{% set ns.s = ns.s * 2 %}{% endfor %}{{ ns.s }}",
  ],
  [
    "doubles a text by ~",
    "{% set ns = namespace(s='x') %}{% for i in range(40) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}",
  ],
  [
    "doubles a text by join",
    "{% set ns = namespace(s='x') %}{% for i in range(40) %}{% set ns.s = [ns.s, ns.s]|join %}{% endfor %}",
  ],
  [
    "doubles a list",
    "{% set ns = namespace(l=[1]) %}{% for i in range(99) %}{% set ns.l = ns.l + ns.l %}{% endfor %}",
  ],
  [
    "doubles a tree of lists",
    "{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}",
  ],
  [
    "compares a tree of lists",
    "{% set ns = namespace(l=[1], m=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% set ns.m = [ns.m, ns.m] %}{% endfor %}{{ ns.l == ns.m }}",
  ],
  [
    "makes a key of a tree of tuples",
    "{% set ns = namespace(l=(1,)) %}{% for i in range(60) %}{% set ns.l = (ns.l, ns.l) %}{% endfor %}{{ {ns.l: 1} }}",
  ],
  ["repeats a text", "{{ 'a' * 10**9 }}"],
  ["repeats a list", "{{ [0] * 10**9 }}"],
  ["centers", "{{ 'a'.center(10**9) }}"],
  ["fills with zeros", "{{ 'a'.zfill(10**12) }}"],
  ["indents", "{{ ('a\\n' * 90000)|indent(9000) }}"],
  ["replaces", "{{ ('ab' * 90000)|replace('a', 'x' * 90000) }}"],
  ["replaces nothing", "{{ ('ab' * 90000)|replace('', 'x' * 90000) }}"],
  ["joins", "{{ range(99999)|join('x' * 90000) }}"],
  ["translates", "{{ ('ab' * 90000).translate({97: 'x' * 90000}) }}"],
  ["expands tabs", "{{ ('\\t' * 90000).expandtabs(90000) }}"],
  ["formats with a precision", "{{ '%.1000000000d' % 1 }}"],
  ["indents JSON", "{{ [[[[1]]]]|tojson(indent='x' * 1000000) }}"],
  ["wraps with a long text", "{{ ('a ' * 9000)|wordwrap(1, wrapstring='x' * 900000) }}"],
  ["formats by %", "{{ '%1000000000d' % 1 }}"],
  ["formats many by %", "{{ '%s%s%s' % ('a' * 1000000, 'a' * 1000000, 'a' * 1000000) }}"],
  ["formats by format()", "{{ '{:1000000000}'.format(1) }}"],
  ["escapes", "{% set x = '\"' * 400000 %}{{ x|e|forceescape }}"],
  ["raises to a power", "{{ 2 ** 100000000 }}"],
  [
    "squares",
    "{% set ns = namespace(x=3) %}{% for i in range(99) %}{% set ns.x = ns.x * ns.x %}{% endfor %}",
  ],
  ["counts", "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"],
  [
    "counts in a generator",
    "{{ range(99999)|map('int')|map('int')|map('int')|map('int')|map('int')|map('int')|map('int')|map('int')|map('int')|map('int')|map('int')|list|length }}",
  ],
  ["searches", "{% set x = 'a' * 1000000 %}{% for a in range(99999) %}{{ 'b' in x }}{% endfor %}"],
  [
    "sorts",
    "{% set x = range(99999)|list %}{% for i in range(999) %}{% set y = x|sort %}{% endfor %}",
  ],
  [
    "splits",
    "{% set x = 'a ' * 500000 %}{% for a in range(99999) %}{% set y = x.split() %}{% endfor %}",
  ],
  ["strips tags", "{{ ('<>' * 500000)|striptags }}"],
  ["wraps", "{{ (' ' * 100000 ~ 'x')|wordwrap }}"],
  ["links", "{{ ('a@' * 400000)|urlize }}"],
  ["writes", "{% for i in range(99999) %}{{ 'a' * 99 }}{% endfor %}"],
  ["has a long range", "{{ range(2 ** 70) }}"],
  ["recurses in a macro", "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}"],
  ["recurses in a loop", "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}"],
  ["recurses in a block", "{% block a %}{{ self.a() }}{% endblock %}"],
  ["holds itself", "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}"],
  [
    "nests lists",
    "{% set ns = namespace(l=[]) %}{% for i in range(99999) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}",
  ],
  ["nests brackets", `{{ ${"(".repeat(50_000)}1${")".repeat(50_000)} }}`],
  ["nests statements", `${"{% if 1 %}".repeat(20_000)}${"{% endif %}".repeat(20_000)}`],
  ["adds a long sum", `{{ ${"1+".repeat(30_000)}1 }}`],
  ["has a long path", `{{ x${".a".repeat(60_000)} }}`],
  ["has many filters", `{{ x${"|e".repeat(60_000)} }}`],
  ["has many signs", `{{ ${"-".repeat(99_999)}1 }}`],
  ["has many conditions", `{{ 1${" if 1 else 1".repeat(9000)} }}`],
];

describe("a hostile template", () => {
  it.each(hostile)("that %s ends in one clear error", (_, template) => {
    const render = (): string =>
      compileTemplate(template).render({ messages: [{ role: "user", content: "hi" }] });
    expect(render).toThrow(expect.objectContaining({ name: "TemplateError", kind: "limit" }));
  });
});

describe("a long conversation", () => {
  const content = "word ".repeat(100);
  const messages = Array.from({ length: 4000 }, (_, index) => ({
    role: index % 2 === 0 ? "user" : "assistant",
    content,
  }));

  it("has room to be written, trimmed and split, each message alone", () => {
    const template =
      "{% for m in messages %}{{ '<' ~ m.role ~ '>' + m.content.split('x')[-1]|trim + '\n' }}{% endfor %}";
    const text = compileTemplate(template).render({ messages });
    expect(text).toHaveLength(
      messages.length * (content.trim().length + 2) + 2000 * 13 + messages.length,
    );
  });

  it("has room to be gathered in one text", () => {
    const template =
      "{% set ns = namespace(t='') %}{% for m in messages %}{% set ns.t = ns.t + m.content %}{% endfor %}{{ ns.t }}";
    expect(compileTemplate(template).render({ messages })).toHaveLength(4000 * 500);
  });

  it("has room for a look back over a thousand messages from each", () => {
    const template =
      "{% for m in messages[:1000] %}{% for n in messages[:1000] %}{{ '' if n.role }}{% endfor %}{% endfor %}";
    expect(compileTemplate(template).render({ messages })).toBe("");
  });
});
