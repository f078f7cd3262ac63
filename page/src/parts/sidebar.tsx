/** The conversations of this browser: found, opened, renamed, deleted, exported and imported. */
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { useApp } from "../app-parts.ts";
import type { Conversation } from "../chat/conversation.ts";
import { hashOf } from "../routes.ts";
import { texts } from "../texts.ts";
import { ConversationRow } from "./conversation-row.tsx";
import { Flame, Icon } from "./icons.tsx";
import { Transfer } from "./transfer.tsx";

/** By id, so that the shortcut finds it wherever the list stands. */
export const searchFieldId = "search";

export function Sidebar({ onPick }: { readonly onPick: () => void }): VNode {
  const { chats } = useApp();
  const [wanted, setWanted] = useState("");
  const shown = useFound(wanted);
  const all = chats.conversations.value;
  return (
    <>
      <header>
        <Flame />
        <strong>{texts.name}</strong>
      </header>
      <a class="button new" href={hashOf({ view: "chat", rest: "" })} onClick={onPick}>
        <Icon name="plus" /> {texts.sidebar.create}
      </a>
      <label class="search">
        <Icon name="search" />
        <span class="visually-hidden">{texts.sidebar.search}</span>
        <input
          id={searchFieldId}
          type="search"
          placeholder={texts.sidebar.search}
          value={wanted}
          onInput={({ currentTarget }) => setWanted(currentTarget.value)}
        />
      </label>
      <nav class="list" aria-label={texts.sidebar.label}>
        {shown.length === 0 && (
          <p>{all.length === 0 ? texts.sidebar.none : texts.sidebar.notFound}</p>
        )}
        {grouped(shown, Date.now()).map(([name, list]) => (
          <section key={name}>
            <h2>{texts.sidebar.groups[name]}</h2>
            <ul>
              {list.map((conversation) => (
                <ConversationRow
                  key={conversation.id}
                  conversation={conversation}
                  isOpen={chats.open.value?.id === conversation.id}
                  onPick={onPick}
                />
              ))}
            </ul>
          </section>
        ))}
      </nav>
      <Transfer />
    </>
  );
}

/** All of them where nothing is searched for. */
function useFound(wanted: string): readonly Conversation[] {
  const { chats } = useApp();
  const all = chats.conversations.value;
  const [found, setFound] = useState<readonly Conversation[]>([]);
  const text = wanted.trim();
  useEffect(() => {
    if (text === "") return undefined;
    let isGone = false;
    void chats.search(text).then((list) => {
      if (!isGone) setFound(list);
    });
    return () => {
      isGone = true;
    };
  }, [text, all, chats]);
  return text === "" ? all : found;
}

type Group = keyof typeof texts.sidebar.groups;
const day = 24 * 60 * 60 * 1000;

/** Groups that have none are left out. */
function grouped(
  list: readonly Conversation[],
  now: number,
): readonly (readonly [Group, readonly Conversation[]])[] {
  const midnight = new Date(now).setHours(0, 0, 0, 0);
  const groupOf = ({ updatedAt }: Conversation): Group => {
    if (updatedAt >= midnight) return "today";
    return updatedAt >= midnight - 6 * day ? "week" : "earlier";
  };
  return (["today", "week", "earlier"] as const)
    .map((name) => [name, list.filter((one) => groupOf(one) === name)] as const)
    .filter(([, members]) => members.length > 0);
}
