/** The view in which one talks to a model: transcript, composer and what stands above them. */
import type { VNode } from "preact";
import { useCallback, useEffect, useState } from "preact/hooks";
import { useApp } from "./app-parts.ts";
import type { Attachment, Message } from "./chat/conversation.ts";
import { useConversation } from "./open-conversation.ts";
import { Composer, focusMessageField } from "./parts/composer.tsx";
import { ContextMeter } from "./parts/context-meter.tsx";
import { ModelPicker } from "./parts/model-picker.tsx";
import { useKeys } from "./parts/shortcuts.tsx";
import { Transcript } from "./parts/transcript.tsx";
import { goTo } from "./routes.ts";
import { texts } from "./texts.ts";

export interface ViewProps {
  /** What stands behind the view's name in the address. */
  readonly rest: string;
}

/** `rest`: id of the conversation; "": a new one. */
export function ChatView({ rest }: ViewProps): VNode {
  const { chats } = useApp();
  const { open, path, running } = useConversation("chat", rest);
  const [edited, setEdited] = useState<string>();
  useEffect(() => setEdited(undefined), [rest]);
  const title = open && (open.title || texts.sidebar.untitled);
  useEffect(() => {
    document.title = title === undefined ? texts.name : `${title} · ${texts.name}`;
  }, [title]);
  const send = (text: string, attachments: readonly Attachment[]): void => {
    void chats.send(text, attachments);
    const begun = chats.open.value?.id ?? "";
    if (begun !== rest) goTo({ view: "chat", rest: begun });
  };
  const edit = useCallback((message: Message | undefined): void => {
    setEdited(message?.id);
    if (message === undefined) focusMessageField();
  }, []);
  const editLast = (): void => {
    const last = path.findLast(({ role }) => role === "user");
    if (last !== undefined && running === undefined) setEdited(last.id);
  };
  useKeys(running === undefined ? {} : { escape: () => chats.stop(running) });
  return (
    <>
      <h1 class="visually-hidden">{title ?? texts.sidebar.create}</h1>
      <div class="bar">
        <ModelPicker />
        <ContextMeter path={path} />
      </div>
      <Transcript path={path} edited={edited} onEdit={edit} />
      <Composer conversation={open?.id} running={running} onSend={send} onEditLast={editLast} />
    </>
  );
}
