/** What stands below an answer: what it is waiting for while it is written, and why it ended where it did. */
import type { VNode } from "preact";
import { useApp } from "../app-parts.ts";
import type { Message } from "../chat/conversation.ts";
import { failureText, texts } from "../texts.ts";

/** Until the first piece has come there is something to wait for. */
export function Progress({ message }: { readonly message: Message }): VNode | null {
  const { chats, connection } = useApp();
  const wait = chats.running.value.get(message.id)?.wait.value;
  if (wait !== undefined) return <p class="progress">{texts.chat.waiting(wait)}</p>;
  if (message.text !== "" || message.reasoning !== undefined || message.calls !== undefined)
    return null;
  const model = connection.models.value.find(({ name }) => name === message.model);
  if (model?.status.kind === "loading") {
    const { share } = model.status;
    return (
      <p class="progress">
        {texts.chat.loading(model.name)} <progress {...(share !== undefined && { value: share })} />
      </p>
    );
  }
  return (
    <p class="progress">
      <span class="dots" aria-hidden="true">
        <i />
        <i />
        <i />
      </span>
      <span class="visually-hidden">{texts.chat.reading}</span>
    </p>
  );
}

/** Undefined for an answer that is whole. */
export function EndNote({ message }: { readonly message: Message }): VNode | null {
  const { chats } = useApp();
  const { state } = message;
  const retry = (
    <button type="button" onClick={() => void chats.regenerate(message)}>
      {texts.message.retry}
    </button>
  );
  switch (state.kind) {
    case "whole":
      return null;
    case "cut":
      return <p class="note">{texts.message.cut}</p>;
    case "stopped":
      return <p class="note">{texts.message.stopped}</p>;
    case "writing":
      return (
        <p class="note">
          {texts.message.elsewhere} {retry}
        </p>
      );
    case "failed":
      return (
        <div class="note failed" role="alert">
          <p>{failureText(state.failure)}</p>
          {retry}
        </div>
      );
    default:
      return state satisfies never;
  }
}
