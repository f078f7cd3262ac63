/** Conversations in IndexedDB: one record for each, one for each message. Nothing leaves the browser. */
import type { Conversation, Message } from "../chat/conversation.ts";
import { type ConversationStore, contains } from "./conversation-store.ts";

const version = 1;

export class Database implements ConversationStore {
  readonly #database: IDBDatabase;

  constructor(database: IDBDatabase) {
    this.#database = database;
  }

  /** @throws DOMException where the browser keeps nothing for this page */
  static async open(name = "hearth"): Promise<Database> {
    const opening = indexedDB.open(name, version);
    opening.onupgradeneeded = () => {
      opening.result.createObjectStore("conversations", { keyPath: "id" });
      const messages = opening.result.createObjectStore("messages", { keyPath: "id" });
      messages.createIndex("conversation", "conversation");
    };
    const database = await done(opening);
    // Another tab has a newer page: it must not wait for this one.
    database.onversionchange = () => database.close();
    return new Database(database);
  }

  conversations(): Promise<Conversation[]> {
    return done(this.#read("conversations").getAll());
  }

  messagesOf(conversation: string): Promise<Message[]> {
    return done(this.#read("messages").index("conversation").getAll(conversation));
  }

  async search(text: string): Promise<ReadonlySet<string>> {
    const found = new Set<string>();
    const cursor = this.#read("messages").openCursor();
    for (let at = await done(cursor); at !== null; at = await done(cursor)) {
      const message: Message = at.value;
      if (contains(message, text)) found.add(message.conversation);
      at.continue();
    }
    return found;
  }

  put(conversation: Conversation | undefined, messages: readonly Message[]): Promise<void> {
    const transaction = this.#database.transaction(["conversations", "messages"], "readwrite");
    if (conversation !== undefined) transaction.objectStore("conversations").put(conversation);
    for (const message of messages) transaction.objectStore("messages").put(message);
    return ended(transaction);
  }

  async remove(conversation: string): Promise<void> {
    const transaction = this.#database.transaction(["conversations", "messages"], "readwrite");
    transaction.objectStore("conversations").delete(conversation);
    const messages = transaction.objectStore("messages");
    const keys = await done(messages.index("conversation").getAllKeys(conversation));
    for (const key of keys) messages.delete(key);
    await ended(transaction);
  }

  removeMessages(ids: readonly string[]): Promise<void> {
    const transaction = this.#database.transaction("messages", "readwrite");
    for (const id of ids) transaction.objectStore("messages").delete(id);
    return ended(transaction);
  }

  #read(store: "conversations" | "messages"): IDBObjectStore {
    return this.#database.transaction(store).objectStore(store);
  }
}

function done<Result>(request: IDBRequest<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function ended(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
    transaction.onerror = () => reject(transaction.error);
  });
}
