/** Code in an answer: its language, a button that copies it, and colours where the language is known. */
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { CopyButton } from "../parts/copy-button.tsx";
import { texts } from "../texts.ts";
import { type Coloured, highlight } from "./highlight.ts";

export interface CodeBlockProps {
  readonly language: string;
  readonly code: string;
  /** It is being written. */
  readonly isLive: boolean;
}

/** Characters: a longer piece is coloured when it is whole, one that is longer still not at all. */
const mostLive = 6000;
const most = 200_000;

export function CodeBlock({ language, code, isLive }: CodeBlockProps): VNode {
  const [coloured, setColoured] = useState<{ readonly code: string; readonly parts: Coloured }>();
  useEffect(() => {
    if (code.length > (isLive ? mostLive : most)) return undefined;
    let isGone = false;
    void highlight(language, code).then((parts) => {
      if (!isGone && parts !== undefined) setColoured({ code, parts });
    });
    return () => {
      isGone = true;
    };
  }, [language, code, isLive]);
  const label = language === "" ? texts.markdown.code : texts.markdown.codeIn(language);
  return (
    <figure class="code">
      <figcaption>
        <span>{language}</span>
        <CopyButton text={code} label={texts.markdown.copyCode} />
      </figcaption>
      <pre role="region" aria-label={label} tabIndex={0}>
        <code>{coloured === undefined ? code : elements(coloured, code)}</code>
      </pre>
    </figure>
  );
}

/** What was written since the colours were made follows plainly. */
function elements(
  coloured: { readonly code: string; readonly parts: Coloured },
  code: string,
): (VNode | string)[] | string {
  if (!code.startsWith(coloured.code)) return code;
  const parts = coloured.parts.map(({ kind, text }, i) =>
    kind === undefined ? (
      text
    ) : (
      <span key={i} class={`hl-${kind}`}>
        {text}
      </span>
    ),
  );
  return [...parts, code.slice(coloured.code.length)];
}
