/** Where conversations are kept: the browser's database, or this tab's memory where the browser keeps nothing. */
import type { Conversation, Message } from "../chat/conversation.ts";

export interface ConversationStore {
  conversations(): Promise<Conversation[]>;
  messagesOf(conversation: string): Promise<Message[]>;
  /** Ids of conversations in which a message contains the text, whatever its case. */
  search(text: string): Promise<ReadonlySet<string>>;
  /** Adds them, or puts them in the place of those with the same ids. */
  put(conversation: Conversation | undefined, messages: readonly Message[]): Promise<void>;
  /** With its messages. */
  remove(conversation: string): Promise<void>;
  removeMessages(ids: readonly string[]): Promise<void>;
}

/** Gone with the tab. */
export class MemoryStore implements ConversationStore {
  readonly #conversations = new Map<string, Conversation>();
  readonly #messages = new Map<string, Message>();

  async conversations(): Promise<Conversation[]> {
    return [...this.#conversations.values()];
  }

  async messagesOf(conversation: string): Promise<Message[]> {
    return [...this.#messages.values()].filter((one) => one.conversation === conversation);
  }

  async search(text: string): Promise<ReadonlySet<string>> {
    const found = [...this.#messages.values()].filter((message) => contains(message, text));
    return new Set(found.map(({ conversation }) => conversation));
  }

  async put(conversation: Conversation | undefined, messages: readonly Message[]): Promise<void> {
    if (conversation !== undefined) this.#conversations.set(conversation.id, conversation);
    for (const message of messages) this.#messages.set(message.id, message);
  }

  async remove(conversation: string): Promise<void> {
    this.#conversations.delete(conversation);
    const gone = await this.messagesOf(conversation);
    await this.removeMessages(gone.map(({ id }) => id));
  }

  async removeMessages(ids: readonly string[]): Promise<void> {
    for (const id of ids) this.#messages.delete(id);
  }
}

export function contains({ text, attachments = [] }: Message, wanted: string): boolean {
  const small = wanted.toLowerCase();
  return [text, ...attachments.map((one) => one.text)].some((own) =>
    own.toLowerCase().includes(small),
  );
}
