/** What the keyboard does: the list of it, and the keys that work anywhere on the page. */
import type { VNode } from "preact";
import { useLayoutEffect } from "preact/hooks";
import { texts } from "../texts.ts";
import { Dialog } from "./dialog.tsx";

export function Shortcuts({ onClose }: { readonly onClose: () => void }): VNode {
  return (
    <Dialog title={texts.shortcuts.title} place="middle" onClose={onClose}>
      <dl class="shortcuts">
        {texts.shortcuts.list.map(([keys, action]) => (
          <div key={keys}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{action}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}

/** By "ctrl+shift+o": modifiers in this order, the key in lower case. Command on a Mac is Ctrl. */
export type KeyActions = Readonly<Record<string, () => void>>;

/** From the moment on in which the page is there: who types faster than it is painted loses no key. */
export function useKeys(actions: KeyActions): void {
  useLayoutEffect(() => {
    const press = (event: KeyboardEvent): void => {
      const { ctrlKey, metaKey, shiftKey, key } = event;
      const modifiers = [(ctrlKey || metaKey) && "ctrl", shiftKey && "shift"].filter(Boolean);
      const action = actions[[...modifiers, key.toLowerCase()].join("+")];
      if (action === undefined || event.isComposing || event.defaultPrevented) return;
      event.preventDefault();
      action();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  });
}
