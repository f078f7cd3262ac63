/** Asks for the key of a server that wants one. It stays in this tab, unless the person wants it kept. */
import type { VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { useApp } from "../app-parts.ts";
import { texts } from "../texts.ts";
import { Dialog } from "./dialog.tsx";

export function Login({ isWrong }: { readonly isWrong: boolean }): VNode {
  const { server, connection, preferences } = useApp();
  const field = useRef<HTMLInputElement>(null);
  const keep = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  const enter = (): void => {
    const key = field.current?.value.trim() ?? "";
    if (key === "") return;
    server.key = key;
    preferences.keepKey(key, keep.current?.checked ?? false);
    void connection.look();
  };
  return (
    <Dialog title={texts.login.title} place="middle" onClose={undefined}>
      <form
        class="login"
        onSubmit={(event) => {
          event.preventDefault();
          enter();
        }}
      >
        <label>
          {texts.login.label}
          <input ref={field} type="password" autocomplete="current-password" required />
        </label>
        {isWrong && <p role="alert">{texts.login.wrong}</p>}
        <p class="hint">{texts.login.hint}</p>
        <label class="check">
          <input ref={keep} type="checkbox" /> {texts.login.keep}
        </label>
        <button type="submit" class="primary">
          {texts.login.enter}
        </button>
      </form>
    </Dialog>
  );
}
