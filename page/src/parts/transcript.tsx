/** The messages that are shown, from the first to the last; it stays at the end while one is read there. */
import type { VNode } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { useApp } from "../app-parts.ts";
import type { Message } from "../chat/conversation.ts";
import { texts } from "../texts.ts";
import { Flame, Icon } from "./icons.tsx";
import { MessageView } from "./message.tsx";

export interface TranscriptProps {
  readonly path: readonly Message[];
  readonly edited: string | undefined;
  onEdit(message: Message | undefined): void;
}

/** Pixels above the end that still count as the end. */
const nearEnd = 80;

export function Transcript({ path, edited, onEdit }: TranscriptProps): VNode {
  const { chats } = useApp();
  const place = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  const [isAway, setAway] = useState(false);
  const last = path.at(-1);
  const live = last === undefined ? undefined : chats.now(last);
  const conversation = last?.conversation;
  const toEnd = (): void => place.current?.scrollTo({ top: place.current.scrollHeight });
  useEffect(() => {
    follows.current = true;
    toEnd();
  }, [conversation, last?.id]);
  useLayoutEffect(() => {
    if (follows.current) toEnd();
  }, [live, path.length]);
  const isEmpty = path.length === 0;
  // Formulas and colours come later than their text, and make it higher.
  useEffect(() => {
    const inside = place.current?.firstElementChild;
    if (isEmpty || !inside) return undefined;
    const observer = new ResizeObserver(() => {
      if (follows.current) place.current?.scrollTo({ top: place.current.scrollHeight });
    });
    observer.observe(inside);
    return () => observer.disconnect();
  }, [isEmpty]);
  return (
    <div class="scroll">
      <div
        ref={place}
        class="transcript"
        role="region"
        aria-label={texts.chat.transcript}
        tabIndex={0}
        onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
          follows.current = scrollHeight - scrollTop - clientHeight < nearEnd;
          setAway(!follows.current);
        }}
      >
        {isEmpty ? (
          <Empty />
        ) : (
          <div class="messages">
            {path.map((message) => (
              <MessageView
                key={message.id}
                message={message}
                isLast={message.id === last?.id}
                isEdited={message.id === edited}
                onEdit={onEdit}
              />
            ))}
          </div>
        )}
      </div>
      {isAway && (
        <button
          type="button"
          class="to-end"
          aria-label={texts.chat.toEnd}
          title={texts.chat.toEnd}
          onClick={toEnd}
        >
          <Icon name="down" />
        </button>
      )}
    </div>
  );
}

function Empty(): VNode {
  return (
    <div class="empty">
      <Flame />
      <p class="greeting">{texts.chat.emptyTitle}</p>
      <p>{texts.chat.emptyText}</p>
    </div>
  );
}
