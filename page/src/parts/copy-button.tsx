/** Copies a text and says so for a moment. */
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { texts } from "../texts.ts";
import { Icon } from "./icons.tsx";

export interface CopyButtonProps {
  readonly text: string;
  readonly label: string;
}

const shownFor = 1500;

export function CopyButton({ text, label }: CopyButtonProps): VNode {
  const [isCopied, setCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return undefined;
    const timer = setTimeout(() => setCopied(false), shownFor);
    return () => clearTimeout(timer);
  }, [isCopied]);
  const copy = async (): Promise<void> => setCopied(await copyText(text));
  const shown = isCopied ? texts.message.copied : label;
  return (
    <button
      type="button"
      class="quiet"
      aria-label={shown}
      title={shown}
      onClick={() => void copy()}
    >
      <Icon name={isCopied ? "check" : "copy"} />
    </button>
  );
}

/** Browsers give the clipboard to secure pages alone; over plain HTTP a selection is copied. */
async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copySelection(text);
  }
}

function copySelection(text: string): boolean {
  const focused = document.activeElement;
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "visually-hidden";
  document.body.append(field);
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return isCopied;
}
