/** Calls of tools that an answer ends with. The page runs no tool: a person can say what came out of each. */
import type { VNode } from "preact";
import { useApp } from "../app-parts.ts";
import type { Message } from "../chat/conversation.ts";
import { texts } from "../texts.ts";
import { Icon } from "./icons.tsx";

export interface ToolCallsProps {
  readonly message: Message;
  /** The answer has ended and nothing follows it. */
  readonly canAnswer: boolean;
}

export function ToolCalls({ message, canAnswer }: ToolCallsProps): VNode | null {
  const { chats } = useApp();
  const { calls = [] } = message;
  if (calls.length === 0) return null;
  const give = (form: HTMLFormElement): void => {
    const given = new FormData(form);
    const results = calls.map(({ id }, i) => [id, String(given.get(String(i)) ?? "")] as const);
    void chats.giveResults(message, new Map(results));
  };
  return (
    <form
      class="calls"
      onSubmit={(event) => {
        event.preventDefault();
        give(event.currentTarget);
      }}
    >
      {calls.map(({ name, arguments: given }, i) => (
        <section key={i} class="call" aria-label={texts.message.call(name)}>
          <h3>
            <Icon name="tool" /> {texts.message.call(name)}
          </h3>
          <pre role="region" aria-label={texts.message.call(name)} tabIndex={0}>
            {indented(given)}
          </pre>
          {canAnswer && (
            <textarea
              name={String(i)}
              aria-label={texts.message.callResult(name)}
              placeholder={texts.message.callResult(name)}
            />
          )}
        </section>
      ))}
      {canAnswer && <button type="submit">{texts.message.giveResults}</button>}
    </form>
  );
}

/** While they are written, arguments are no JSON yet. */
function indented(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), null, 2);
  } catch {
    return json;
  }
}
