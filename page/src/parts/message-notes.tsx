/** What stands below an answer: what it is waiting for while it is written, and why it ended where it did. */
import type { VNode } from "preact";
import { useApp } from "../app-parts.ts";
import { canContinue, type Message } from "../chat/conversation.ts";
import { failureText, texts } from "../texts.ts";

/** Until the first piece has come there is something to wait for. */
export function Progress({ message }: { readonly message: Message }): VNode | null {
  const { chats, connection } = useApp();
  const running = chats.running.value.get(message.id);
  const wait = running?.wait.value;
  if (wait !== undefined) return <p class="progress">{texts.chat.waiting(wait)}</p>;
  const read = running?.read.value;
  if (read !== undefined) {
    return (
      <p class="progress">
        {texts.chat.read(read)} <progress value={read} aria-hidden="true" />
      </p>
    );
  }
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

export interface EndNoteProps {
  readonly message: Message;
  /** Nothing follows it. */
  readonly isLast: boolean;
}

/** Nothing for an answer that is whole. */
export function EndNote({ message, isLast }: EndNoteProps): VNode | null {
  const { chats } = useApp();
  const { state } = message;
  const goOn = isLast && canContinue(message) && (
    <button type="button" onClick={() => void chats.continueAnswer(message)}>
      {texts.message.goOn}
    </button>
  );
  const retry = (
    <button type="button" onClick={() => void chats.regenerate(message)}>
      {texts.message.retry}
    </button>
  );
  switch (state.kind) {
    case "whole":
      return null;
    case "cut":
      return (
        <p class="note">
          {texts.message.cut} {goOn}
        </p>
      );
    case "stopped":
      return (
        <p class="note">
          {texts.message.stopped} {goOn}
        </p>
      );
    case "writing":
      if (chats.isWrittenElsewhere(message)) return <p class="note">{texts.message.elsewhere}</p>;
      return (
        <p class="note">
          {texts.message.unfinished} {goOn} {retry}
        </p>
      );
    case "failed":
      return (
        <div class="note failed" role="alert">
          <p>{failureText(state.failure)}</p>
          {goOn} {retry}
        </div>
      );
    default:
      return state satisfies never;
  }
}
