/** An answer that a conversation has begun: its last message is the assistant's, and is gone on with. */
interface Said {
  readonly role: string;
  readonly tool_calls?: readonly unknown[] | null | undefined;
}

/** A message that calls tools is whole. */
export function isBegun(messages: readonly Said[]): boolean {
  const last = messages.at(-1);
  return last?.role === "assistant" && (last.tool_calls ?? []).length === 0;
}
