/** All conversations as a file, and those of a file. */
import type { VNode } from "preact";
import { useRef } from "preact/hooks";
import { useApp } from "../app-parts.ts";
import { newId } from "../chat/conversation.ts";
import { exportText, importText } from "../storage/transfer.ts";
import { texts } from "../texts.ts";
import { Icon } from "./icons.tsx";
import { saveFile } from "./save-file.ts";

export function Transfer(): VNode {
  const { chats, notice } = useApp();
  const picker = useRef<HTMLInputElement>(null);
  const save = async (): Promise<void> => {
    const day = new Date().toISOString().slice(0, 10);
    saveFile(`hearth-${day}.json`, exportText(await chats.export()));
  };
  const load = async (file: File): Promise<void> => {
    const found = importText(await file.text(), newId);
    if (found !== undefined) await chats.add(found);
    const text =
      found === undefined
        ? texts.sidebar.notImported(file.name)
        : texts.sidebar.imported(found.length);
    notice.value = { text };
  };
  return (
    <footer>
      <button type="button" onClick={() => void save()}>
        <Icon name="save" /> {texts.sidebar.exportAll}
      </button>
      <button type="button" onClick={() => picker.current?.click()}>
        <Icon name="load" /> {texts.sidebar.import}
      </button>
      <input
        ref={picker}
        type="file"
        accept=".json,application/json"
        hidden
        aria-label={texts.sidebar.import}
        onChange={({ currentTarget }) => {
          const file = currentTarget.files?.[0];
          if (file !== undefined) void load(file);
          currentTarget.value = "";
        }}
      />
    </footer>
  );
}
