/** The tree of messages of a conversation: which path through it is shown, and what lies beside it. */
import type { Conversation, Message } from "./conversation.ts";

export type Messages = ReadonlyMap<string, Message>;
type Shown = Conversation["shown"];

/** From the beginning to the last message, along what is shown. */
export function pathOf(messages: Messages, shown: Shown): readonly Message[] {
  const followers = new Map<string, Message[]>();
  for (const message of messages.values()) {
    const parent = message.parent ?? "";
    followers.set(parent, [...(followers.get(parent) ?? []), message]);
  }
  const path: Message[] = [];
  let at = "";
  for (;;) {
    const next = followers.get(at) ?? [];
    const chosen = next.find(({ id }) => id === shown[at]) ?? newest(next);
    // A file that was imported might lead in a circle.
    if (chosen === undefined || path.length > messages.size) return path;
    path.push(chosen);
    at = chosen.id;
  }
}

/** The messages at the same place, the oldest first; itself among them. */
export function siblingsOf(messages: Messages, { parent }: Message): readonly Message[] {
  return [...messages.values()]
    .filter((one) => one.parent === parent)
    .toSorted((a, b) => a.createdAt - b.createdAt);
}

/** From the beginning to this message, whatever is shown. */
export function pathTo(messages: Messages, message: Message): readonly Message[] {
  const path: Message[] = [];
  let at: Message | undefined = message;
  while (at !== undefined && path.length < messages.size) {
    path.unshift(at);
    at = at.parent === null ? undefined : messages.get(at.parent);
  }
  return path;
}

/** So that this message is shown at its place. */
export function showing(shown: Shown, { id, parent }: Message): Shown {
  return { ...shown, [parent ?? ""]: id };
}

/** The message and all that follow it, on every branch. */
export function subtreeOf(messages: Messages, { id }: Message): ReadonlySet<string> {
  const found = new Set([id]);
  for (let size = 0; size < found.size; ) {
    size = found.size;
    for (const message of messages.values())
      if (message.parent !== null && found.has(message.parent)) found.add(message.id);
  }
  return found;
}

function newest(messages: readonly Message[]): Message | undefined {
  return messages.reduce<Message | undefined>(
    (last, one) => (last === undefined || one.createdAt >= last.createdAt ? one : last),
    undefined,
  );
}
