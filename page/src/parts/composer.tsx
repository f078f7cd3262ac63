/** Where messages are written: the text, its files, and the button that sends it or stops the answer. */
import type { VNode } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { useApp } from "../app-parts.ts";
import { attach } from "../chat/attach.ts";
import type { Attachment } from "../chat/conversation.ts";
import { texts } from "../texts.ts";
import { Icon } from "./icons.tsx";
import { fitHeight, isSendKey } from "./text-field.ts";

/** The focus comes back to this field from everywhere. */
const messageFieldId = "message";

export function focusMessageField(): void {
  document.getElementById(messageFieldId)?.focus();
}

export interface ComposerProps {
  /** Of the conversation that is open: each has a draft of its own. */
  readonly conversation: string | undefined;
  /** Of the answer that is being written in it. */
  readonly running: string | undefined;
  onSend(text: string, attachments: readonly Attachment[]): void;
  onEditLast(): void;
}

export function Composer({ conversation, running, onSend, onEditLast }: ComposerProps): VNode {
  const { chats, notice, preferences } = useApp();
  const field = useRef<HTMLTextAreaElement>(null);
  const [attachments, setAttachments] = useState<readonly Attachment[]>([]);
  const [isOver, setOver] = useState(false);
  const draft = conversation ?? "";
  useLayoutEffect(() => {
    setAttachments([]);
    if (field.current === null) return;
    field.current.value = preferences.draftOf(draft);
    fitHeight(field.current);
  }, [draft, preferences]);
  // On a phone that would open its keyboard above what is to be read. Who writes in another field goes on there.
  useLayoutEffect(() => {
    const isWriting = document.activeElement?.matches("input, textarea") === true;
    if (matchMedia("(pointer: fine)").matches && !isWriting) field.current?.focus();
  }, [conversation]);
  const add = async (files: Iterable<File>): Promise<void> => {
    for (const file of files) {
      const found = await attach(file);
      if (found.kind === "text") setAttachments((list) => [...list, found.attachment]);
      else if (found.kind === "no text")
        notice.value = { text: texts.composer.notText(found.name) };
      else notice.value = { text: texts.composer.tooLarge(found.name) };
    }
  };
  const send = (): void => {
    const text = field.current?.value.trim() ?? "";
    if (running !== undefined || (text === "" && attachments.length === 0)) return;
    preferences.keepDraft(draft, "");
    onSend(text, attachments);
    setAttachments([]);
    if (field.current === null) return;
    field.current.value = "";
    fitHeight(field.current);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const isEmpty = field.current?.value === "";
    if (event.key === "ArrowUp" && isEmpty && attachments.length === 0) onEditLast();
    else if (isSendKey(event)) send();
    else return;
    event.preventDefault();
  };
  return (
    <form
      class={isOver ? "composer over" : "composer"}
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        void add(event.dataTransfer?.files ?? []);
      }}
    >
      <Files list={attachments} onChange={setAttachments} />
      <textarea
        ref={field}
        id={messageFieldId}
        rows={1}
        aria-label={texts.composer.label}
        placeholder={isOver ? texts.composer.drop : texts.composer.placeholder}
        onInput={({ currentTarget }) => {
          fitHeight(currentTarget);
          preferences.keepDraft(draft, currentTarget.value);
        }}
        onKeyDown={onKeyDown}
        onPaste={(event) => {
          const files = event.clipboardData?.files ?? [];
          if (files.length === 0) return;
          event.preventDefault();
          void add(files);
        }}
      />
      <div class="buttons">
        <FilePicker onPick={(files) => void add(files)} />
        {running === undefined ? (
          <button
            type="submit"
            class="round primary"
            aria-label={texts.composer.send}
            title={texts.composer.send}
          >
            <Icon name="send" />
          </button>
        ) : (
          <button
            type="button"
            class="round primary"
            aria-label={texts.composer.stop}
            title={texts.composer.stop}
            onClick={() => chats.stop(running)}
          >
            <Icon name="stop" />
          </button>
        )}
      </div>
    </form>
  );
}

function FilePicker({ onPick }: { readonly onPick: (files: readonly File[]) => void }): VNode {
  const picker = useRef<HTMLInputElement>(null);
  return (
    <>
      <input
        ref={picker}
        type="file"
        multiple
        hidden
        aria-label={texts.composer.attach}
        onChange={({ currentTarget }) => {
          onPick([...(currentTarget.files ?? [])]);
          currentTarget.value = "";
        }}
      />
      <button
        type="button"
        class="quiet"
        aria-label={texts.composer.attach}
        title={texts.composer.attach}
        onClick={() => picker.current?.click()}
      >
        <Icon name="clip" />
      </button>
    </>
  );
}

interface FilesProps {
  readonly list: readonly Attachment[];
  onChange(list: readonly Attachment[]): void;
}

function Files({ list, onChange }: FilesProps): VNode | null {
  if (list.length === 0) return null;
  return (
    <ul class="files">
      {list.map(({ name, text }, i) => (
        <li key={i}>
          <Icon name="file" /> {texts.message.file(name, text.length)}
          <button
            type="button"
            class="quiet"
            aria-label={texts.composer.detach(name)}
            onClick={() => onChange(list.filter((_, at) => at !== i))}
          >
            <Icon name="close" />
          </button>
        </li>
      ))}
    </ul>
  );
}
