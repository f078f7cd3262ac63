/** Text files of a message: folded, so that a long one does not stand between question and answer. */
import type { VNode } from "preact";
import type { Attachment } from "../chat/conversation.ts";
import { texts } from "../texts.ts";
import { Icon } from "./icons.tsx";

export function Attachments({ list }: { readonly list: readonly Attachment[] }): VNode | null {
  if (list.length === 0) return null;
  return (
    <div class="attachments">
      {list.map(({ name, text }, i) => (
        <details key={i}>
          <summary>
            <Icon name="file" /> {texts.message.file(name, text.length)}
          </summary>
          <pre role="region" aria-label={name} tabIndex={0}>
            {text}
          </pre>
        </details>
      ))}
    </div>
  );
}
