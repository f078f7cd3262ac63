/** A message of the person's while it is edited. Sent again it becomes a branch; the old one stays beside it. */
import type { VNode } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { useApp } from "../app-parts.ts";
import type { Message } from "../chat/conversation.ts";
import { texts } from "../texts.ts";
import { fitHeight, isSendKey } from "./text-field.ts";

export interface EditMessageProps {
  readonly message: Message;
  onEnd(): void;
}

export function EditMessage({ message, onEnd }: EditMessageProps): VNode {
  const { chats } = useApp();
  const field = useRef<HTMLTextAreaElement>(null);
  // Before anything else is typed.
  useLayoutEffect(() => {
    if (field.current === null) return;
    fitHeight(field.current);
    field.current.focus();
    field.current.setSelectionRange(message.text.length, message.text.length);
  }, [message]);
  const send = (): void => {
    const text = field.current?.value.trim() ?? "";
    if (text === "") return;
    void chats.edit(message, text);
    onEnd();
  };
  return (
    <form
      class="edit"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <textarea
        ref={field}
        aria-label={texts.message.editLabel}
        defaultValue={message.text}
        onInput={(event) => fitHeight(event.currentTarget)}
        onKeyDown={(event) => {
          if (event.key === "Escape") onEnd();
          if (!isSendKey(event)) return;
          event.preventDefault();
          send();
        }}
      />
      <div class="buttons">
        <button type="button" onClick={onEnd}>
          {texts.cancel}
        </button>
        <button type="submit" class="primary">
          {texts.message.sendEdited}
        </button>
      </div>
    </form>
  );
}
