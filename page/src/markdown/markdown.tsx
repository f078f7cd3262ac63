/**
 * Markdown as elements. Text of a model never becomes HTML: marked gives tokens, and each kind of token is an element of the
 * table below, with text inside. Raw HTML is shown as it was written, pictures are links that say so.
 */
import type { Token, Tokens } from "marked";
import type { ComponentChildren, VNode } from "preact";
import { memo } from "preact/compat";
import { useState } from "preact/hooks";
import { texts } from "../texts.ts";
import { CodeBlock } from "./code-block.tsx";
import { decodeEntities } from "./entities.ts";
import { GrowingText } from "./growing-text.ts";
import { safeLink } from "./links.ts";
import { Maths } from "./maths.tsx";
import type { MathsToken } from "./maths-tokens.ts";

type AnyToken = Token | MathsToken;

export interface MarkdownProps {
  readonly text: string;
  /** It is being written: its last block will change. */
  readonly isLive: boolean;
}

export const Markdown = memo(({ text, isLive }: MarkdownProps): VNode => {
  const [growing] = useState(() => new GrowingText());
  const blocks = growing.blocks(text);
  const last = blocks.length - 1;
  return (
    <div class="markdown">
      {blocks.map((token, i) => (
        <Block key={i} token={token} isLive={isLive && i === last} />
      ))}
    </div>
  );
});

interface BlockProps {
  readonly token: AnyToken;
  readonly isLive: boolean;
}

/** While an answer grows, only its last block is drawn again. */
const Block = memo(
  ({ token, isLive }: BlockProps) => <>{element(token, isLive)}</>,
  (a, b) => a.token.raw === b.token.raw && a.token.type === b.token.type && a.isLive === b.isLive,
);

/** Exported for the tests of what comes out of hostile text. */
export function elementsOf(text: string): ComponentChildren {
  return new GrowingText().blocks(text).map((token) => element(token, false));
}

function element(token: AnyToken, isLive: boolean): ComponentChildren {
  switch (token.type) {
    case "space":
    case "def":
      return null;
    case "paragraph":
      return <p>{inside(token)}</p>;
    case "heading":
      return heading(token as Tokens.Heading);
    case "code":
      return codeBlock(token as Tokens.Code, isLive);
    case "blockquote":
      return <blockquote>{inside(token)}</blockquote>;
    case "list":
      return list(token as Tokens.List);
    case "table":
      return table(token as Tokens.Table);
    case "hr":
      return <hr />;
    case "strong":
      return <strong>{inside(token)}</strong>;
    case "em":
      return <em>{inside(token)}</em>;
    case "del":
      return <del>{inside(token)}</del>;
    case "br":
      return <br />;
    case "codespan":
      return <code>{(token as Tokens.Codespan).text}</code>;
    case "link":
      return link((token as Tokens.Link).href, inside(token), token.raw);
    case "image":
      return picture(token as Tokens.Image);
    case "checkbox":
      return (
        <input
          type="checkbox"
          disabled
          checked={token.raw.includes("x")}
          aria-label={texts.markdown.task}
        />
      );
    case "maths":
      return <Maths tex={(token as MathsToken).tex} isBlock={token.raw.startsWith("$$")} />;
    case "maths-block":
      return <Maths tex={(token as MathsToken).tex} isBlock={true} />;
    case "text":
      return "tokens" in token && token.tokens ? inside(token) : decodeEntities(textIn(token));
    case "escape":
      return textIn(token);
    default:
      // Raw HTML, and what a later marked might know.
      return token.raw;
  }
}

function inside(token: AnyToken): ComponentChildren {
  const tokens = "tokens" in token ? (token.tokens ?? []) : [];
  return tokens.map((one) => element(one, false));
}

function textIn(token: AnyToken): string {
  return "text" in token && typeof token.text === "string" ? token.text : token.raw;
}

/** The page's own headings are of the first and second degree. */
function heading(token: Tokens.Heading): VNode {
  const Name = (["h3", "h4", "h5", "h6"] as const)[Math.min(token.depth, 4) - 1] ?? "h6";
  return <Name class={`depth-${token.depth}`}>{inside(token)}</Name>;
}

function codeBlock({ lang, text }: Tokens.Code, isLive: boolean): VNode {
  const [language = ""] = (lang ?? "").trim().split(/\s/, 1);
  return <CodeBlock language={language} code={text} isLive={isLive} />;
}

function list({ ordered, start, items }: Tokens.List): VNode {
  const entries = items.map((item, i) => (
    <li key={i} class={item.task ? "task" : undefined}>
      {item.tokens.map((one) => element(one, false))}
    </li>
  ));
  if (!ordered) return <ul>{entries}</ul>;
  return <ol start={typeof start === "number" ? start : 1}>{entries}</ol>;
}

function table({ header, rows, align }: Tokens.Table): VNode {
  const side = (i: number): string | undefined => (align[i] ? `align-${align[i]}` : undefined);
  const inCell = (cell: Tokens.TableCell): ComponentChildren =>
    cell.tokens.map((one) => element(one, false));
  return (
    <div class="table" role="region" aria-label={texts.markdown.table} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {header.map((cell, i) => (
              <th key={i} class={side(i)} scope="col">
                {inCell(cell)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, r) => (
            <tr key={r}>
              {row.map((cell, i) => (
                <td key={i} class={side(i)}>
                  {inCell(cell)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** `raw`: shown in the place of a link that must not be followed. */
function link(address: string, label: ComponentChildren, raw: string): ComponentChildren {
  const href = safeLink(address);
  if (href === undefined) return raw;
  return (
    <a href={href} target="_blank" rel="noopener noreferrer nofollow" title={href}>
      {label}
    </a>
  );
}

/** To load it would tell its server that this answer was read. */
function picture({ href, text, raw }: Tokens.Image): ComponentChildren {
  return link(href, texts.markdown.picture(text), raw);
}
