/** What views show of a conversation, whose id stands in the address: opens it, and follows it. */
import { useEffect } from "preact/hooks";
import { useApp } from "./app-parts.ts";
import type { Conversation, Message } from "./chat/conversation.ts";
import { goTo } from "./routes.ts";
import { texts } from "./texts.ts";

export interface OpenConversation {
  readonly open: Conversation | undefined;
  readonly path: readonly Message[];
  /** Id of the answer that is being written in it. */
  readonly running: string | undefined;
}

/** `view`: the name of the view; `rest`: id of the conversation, "" for a new one. */
export function useConversation(view: string, rest: string): OpenConversation {
  const { chats, notice, preferences } = useApp();
  useEffect(() => {
    // What was just begun is open already.
    if (rest === "" ? chats.open.value === undefined : chats.open.value?.id === rest) return;
    if (rest === "") preferences.resetDraft();
    void chats.show(rest === "" ? undefined : rest).then((isFound) => {
      if (isFound) return;
      notice.value = { text: texts.chat.notFound };
      goTo({ view, rest: "" });
    });
  }, [view, rest, chats, notice, preferences]);
  const path = chats.path.value;
  const running = path.findLast(({ id }) => chats.running.value.has(id))?.id;
  return { open: chats.open.value, path, running };
}
