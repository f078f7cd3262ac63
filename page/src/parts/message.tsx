/** One message of the conversation, with what can be done with it. */
import type { VNode } from "preact";
import { memo } from "preact/compat";
import { useApp } from "../app-parts.ts";
import type { Message } from "../chat/conversation.ts";
import { siblingsOf } from "../chat/tree.ts";
import { Markdown } from "../markdown/markdown.tsx";
import { goTo } from "../routes.ts";
import { texts } from "../texts.ts";
import { Attachments } from "./attachments.tsx";
import { CopyButton } from "./copy-button.tsx";
import { EditMessage } from "./edit-message.tsx";
import { Icon, type IconName } from "./icons.tsx";
import { EndNote, Progress } from "./message-notes.tsx";
import { ToolCalls } from "./tool-calls.tsx";

export interface MessageProps {
  /** As it is kept; what is being written is read from the conversations. */
  readonly message: Message;
  readonly isLast: boolean;
  readonly isEdited: boolean;
  onEdit(message: Message | undefined): void;
}

/** Drawn again when it changes, and not with every piece of another one. */
export const MessageView = memo(({ message: kept, isLast, isEdited, onEdit }: MessageProps) => {
  const { chats } = useApp();
  const message = chats.now(kept);
  const isLive = chats.running.value.has(message.id);
  return (
    <article class={`message ${message.role}`} aria-label={labelOf(message)} data-id={message.id}>
      {message.role !== "user" && <h2 class="author">{labelOf(message)}</h2>}
      {isEdited ? (
        <EditMessage message={message} onEnd={() => onEdit(undefined)} />
      ) : (
        <MessageBody message={message} isLive={isLive} isLast={isLast} />
      )}
      {isLive ? (
        <>
          <Progress message={message} />
          <div class="actions">
            <Numbers message={message} />
          </div>
        </>
      ) : (
        !isEdited && (
          <>
            <EndNote message={message} isLast={isLast} />
            <MessageActions message={message} onEdit={onEdit} />
          </>
        )
      )}
    </article>
  );
});

function labelOf({ role, model }: Message): string {
  if (role === "user") return texts.chat.you;
  return role === "tool" ? texts.chat.tool : texts.chat.answer(model);
}

interface BodyProps {
  readonly message: Message;
  readonly isLive: boolean;
  readonly isLast: boolean;
}

function MessageBody({ message, isLive, isLast }: BodyProps): VNode {
  const { role, text, reasoning = "", attachments = [] } = message;
  if (role === "tool") return <pre class="result">{text}</pre>;
  if (role === "user") {
    return (
      <div class="bubble">
        <Attachments list={attachments} />
        {text !== "" && <p class="typed">{text}</p>}
      </div>
    );
  }
  const isThinking = isLive && text === "";
  return (
    <>
      {reasoning !== "" && (
        <details class="thoughts">
          <summary>{isThinking ? texts.chat.thinking : texts.chat.thoughts}</summary>
          <Markdown text={reasoning} isLive={isThinking} />
        </details>
      )}
      {text !== "" && <Markdown text={text} isLive={isLive} />}
      <ToolCalls message={message} canAnswer={isLast && !isLive} />
    </>
  );
}

interface ActionsProps {
  readonly message: Message;
  onEdit(message: Message): void;
}

function MessageActions({ message, onEdit }: ActionsProps): VNode {
  const { chats, notice } = useApp();
  const { role, text } = message;
  const labels = texts.message;
  const remove = async (): Promise<void> => {
    const removed = await chats.removeMessage(message);
    const undo = { label: texts.sidebar.undo, run: () => void chats.putBack(removed) };
    notice.value = { text: labels.removed(removed.length), action: undo };
  };
  const fork = async (): Promise<void> => {
    const id = await chats.fork(message);
    if (id !== undefined) goTo({ view: "chat", rest: id });
  };
  return (
    <div class="actions" role="group" aria-label={labels.actions}>
      <Branches message={message} />
      {text !== "" && <CopyButton text={text} label={labels.copy} />}
      {role === "user" && <Action icon="edit" label={labels.edit} run={() => onEdit(message)} />}
      {role === "assistant" && (
        <Action icon="again" label={labels.regenerate} run={() => void chats.regenerate(message)} />
      )}
      <Action icon="fork" label={labels.fork} run={() => void fork()} />
      <Action icon="trash" label={labels.remove} run={() => void remove()} />
      <Numbers message={message} />
    </div>
  );
}

interface ActionProps {
  readonly icon: IconName;
  readonly label: string;
  run(): void;
}

function Action({ icon, label, run }: ActionProps): VNode {
  return (
    <button type="button" class="quiet" aria-label={label} title={label} onClick={run}>
      <Icon name={icon} />
    </button>
  );
}

function Branches({ message }: { readonly message: Message }): VNode | null {
  const { chats } = useApp();
  const all = siblingsOf(chats.messages.value, message);
  if (all.length < 2) return null;
  const at = all.findIndex(({ id }) => id === message.id);
  const step = (by: number): VNode => {
    const other = all[at + by];
    const label = by < 0 ? texts.message.previous : texts.message.next;
    return (
      <button
        type="button"
        class="quiet"
        aria-label={label}
        title={label}
        disabled={other === undefined}
        onClick={() => other && chats.select(other)}
      >
        <Icon name={by < 0 ? "left" : "right"} />
      </button>
    );
  };
  return (
    <span class="branches">
      {step(-1)}
      <span role="img" aria-label={texts.message.branchLabel(at + 1, all.length)}>
        {texts.message.branch(at + 1, all.length)}
      </span>
      {step(1)}
    </span>
  );
}

function Numbers({ message: { numbers } }: { readonly message: Message }): VNode | null {
  if (numbers === undefined) return null;
  const { speed, completion, earlier = 0, cached, prompt, promptSpeed } = numbers;
  const labels = texts.message.numbers;
  const parts = [
    speed > 0 && labels.speed(speed),
    labels.completion(earlier + completion),
    cached > 0 && labels.cached(cached, prompt),
  ].filter((part) => part !== false);
  return (
    <span class="numbers" title={promptSpeed > 0 ? labels.promptSpeed(promptSpeed) : undefined}>
      {parts.join(" · ")}
    </span>
  );
}
