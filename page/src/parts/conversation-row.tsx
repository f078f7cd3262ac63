/** A line of the list of conversations, with what can be done with it. */
import type { VNode } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { useApp } from "../app-parts.ts";
import type { Conversation } from "../chat/conversation.ts";
import { hashOf } from "../routes.ts";
import { exportText } from "../storage/transfer.ts";
import { texts } from "../texts.ts";
import { Icon } from "./icons.tsx";
import { saveFile } from "./save-file.ts";

export interface ConversationRowProps {
  readonly conversation: Conversation;
  readonly isOpen: boolean;
  onPick(): void;
}

export function ConversationRow({ conversation, isOpen, onPick }: ConversationRowProps): VNode {
  const [isRenamed, setRenamed] = useState(false);
  const title = conversation.title || texts.sidebar.untitled;
  if (isRenamed)
    return (
      <li>
        <Rename conversation={conversation} onEnd={() => setRenamed(false)} />
      </li>
    );
  return (
    <li class={isOpen ? "open" : undefined}>
      <a
        href={hashOf({ view: "chat", rest: conversation.id })}
        aria-current={isOpen ? "page" : undefined}
        title={title}
        onClick={onPick}
      >
        {title}
      </a>
      <RowMenu conversation={conversation} title={title} onRename={() => setRenamed(true)} />
    </li>
  );
}

interface RenameProps {
  readonly conversation: Conversation;
  onEnd(): void;
}

function Rename({ conversation, onEnd }: RenameProps): VNode {
  const { chats } = useApp();
  const field = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => field.current?.select(), []);
  const end = (isTaken: boolean): void => {
    const title = field.current?.value.trim() ?? "";
    if (isTaken && title !== "") chats.rename(conversation, title);
    onEnd();
  };
  return (
    <input
      ref={field}
      aria-label={texts.sidebar.renameLabel}
      defaultValue={conversation.title}
      onBlur={() => end(true)}
      onKeyDown={({ key }) => {
        if (key === "Enter") end(true);
        if (key === "Escape") end(false);
      }}
    />
  );
}

interface RowMenuProps {
  readonly conversation: Conversation;
  readonly title: string;
  onRename(): void;
}

function RowMenu({ conversation, title, onRename }: RowMenuProps): VNode {
  const { chats, notice } = useApp();
  const menu = useRef<HTMLDetailsElement>(null);
  const run = (action: () => unknown) => (): void => {
    if (menu.current !== null) menu.current.open = false;
    action();
  };
  const save = async (): Promise<void> =>
    saveFile(`${fileName(title)}.json`, exportText(await chats.export([conversation.id])));
  const remove = async (): Promise<void> => {
    const removed = await chats.remove(conversation);
    if (removed === undefined) return;
    const undo = { label: texts.sidebar.undo, run: () => void chats.add([removed]) };
    notice.value = { text: texts.sidebar.removed(title), action: undo };
  };
  return (
    <details
      ref={menu}
      class="menu"
      onFocusOut={({ currentTarget, relatedTarget }) => {
        const stays = relatedTarget instanceof Node && currentTarget.contains(relatedTarget);
        if (!stays) currentTarget.open = false;
      }}
      onKeyDown={({ key, currentTarget }) => {
        if (key !== "Escape") return;
        currentTarget.open = false;
        currentTarget.querySelector("summary")?.focus();
      }}
    >
      <summary
        class="quiet"
        aria-label={texts.sidebar.more(title)}
        title={texts.sidebar.more(title)}
      >
        <Icon name="more" />
      </summary>
      <div class="choices">
        <button type="button" onClick={run(onRename)}>
          <Icon name="edit" /> {texts.sidebar.rename}
        </button>
        <button type="button" onClick={run(save)}>
          <Icon name="save" /> {texts.sidebar.export}
        </button>
        <button type="button" onClick={run(remove)}>
          <Icon name="trash" /> {texts.sidebar.remove}
        </button>
      </div>
    </details>
  );
}

/** A title as every system takes it for a file. */
function fileName(title: string): string {
  return (
    title
      .replaceAll(/[^\p{L}\p{N} _-]+/gu, "")
      .trim()
      .slice(0, 50) || "conversation"
  );
}
