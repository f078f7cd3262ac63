/** Reads answers to screen readers paragraph by paragraph, politely: never a word at a time. */
import { useSignalEffect } from "@preact/signals";
import type { VNode } from "preact";
import { useRef } from "preact/hooks";
import { useApp } from "../app-parts.ts";
import type { Message } from "../chat/conversation.ts";
import { texts } from "../texts.ts";

export function Announcer(): VNode {
  const { announcement, chats } = useApp();
  /** Of the answer that is followed: how many of its characters were said. */
  const said = useRef<{ readonly id: string; readonly length: number }>(undefined);
  useSignalEffect(() => {
    const running = chats.running.value;
    const last = chats.path.value.at(-1);
    if (last === undefined || last.role !== "assistant") return;
    const isLive = running.has(last.id);
    const message = chats.now(last);
    if (said.current?.id !== message.id) {
      if (!isLive) return;
      said.current = { id: message.id, length: 0 };
      announcement.value = texts.chat.writing;
    }
    const { length } = said.current;
    const end = isLive ? message.text.lastIndexOf("\n\n") : message.text.length;
    if (end <= length) return;
    announcement.value = plain(message, length, end);
    said.current = { id: message.id, length: end };
  });
  return (
    <div class="visually-hidden" role="status">
      {announcement}
    </div>
  );
}

/** Signs of Markdown are not read aloud. */
function plain({ text }: Message, from: number, to: number): string {
  return text
    .slice(from, to)
    .replaceAll(/[*_`#>|]+/g, "")
    .trim();
}
