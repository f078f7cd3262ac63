/**
 * The conversations of this browser: which there are, which one is open, and all that a person does with them. Answers go
 * on being written while another conversation is open. The database follows; what is shown never waits for it.
 */
import { batch, computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { Connection } from "../api/connection.ts";
import { modelFor } from "../api/models.ts";
import type { Server } from "../api/server.ts";
import type { Recordings } from "../map/recordings.ts";
import type { ConversationStore } from "../storage/conversation-store.ts";
import type { Preferences } from "../storage/preferences.ts";
import type { Exported } from "../storage/transfer.ts";
import {
  type Attachment,
  type Conversation,
  continued,
  type Message,
  newId,
  titleOf,
} from "./conversation.ts";
import { followPieces } from "./follow-pieces.ts";
import { chatRequest } from "./request.ts";
import type { Tabs } from "./tabs.ts";
import { type Messages, pathOf, pathTo, showing, subtreeOf } from "./tree.ts";
import { writeAnswer } from "./writing.ts";

export interface ChatsParts {
  readonly server: Server;
  readonly connection: Connection;
  readonly preferences: Preferences;
  readonly store: ConversationStore;
  /** Looks at answers, where somebody wants to see more than their text. */
  readonly recordings: Pick<Recordings, "watch" | "release">;
  readonly tabs: Tabs;
}

/** What is being written in this tab, by the id of its message. */
interface Running {
  readonly stop: AbortController;
  /** Seconds for which a busy server is waited for. */
  readonly wait: Signal<number | undefined>;
  /** How much of the prompt has been read, from 0 to 1. */
  readonly read: Signal<number | undefined>;
}

export class Chats {
  readonly #conversations = signal<readonly Conversation[]>([]);
  readonly #open = signal<Conversation | undefined>(undefined);
  readonly #messages = signal<Messages>(new Map());
  /** What is shown of the open conversation. */
  readonly path: ReadonlySignal<readonly Message[]> = computed(() => {
    const open = this.#open.value;
    return open === undefined ? [] : pathOf(this.#messages.value, open.shown);
  });
  readonly #running = signal<ReadonlyMap<string, Running>>(new Map());
  /** The last state of answers that are being written, whichever conversation they belong to. */
  readonly #live = new Map<string, Signal<Message>>();
  readonly #parts: ChatsParts;
  /** Counts what was opened. */
  #turn = 0;

  constructor(parts: ChatsParts) {
    this.#parts = parts;
    parts.tabs.onChange(() => void this.reload());
    effect(() => parts.tabs.write([...this.#running.value.keys()]));
  }

  /** The one that was changed last comes first. */
  get conversations(): ReadonlySignal<readonly Conversation[]> {
    return this.#conversations;
  }

  /** Undefined: a new one, which is made with its first message. */
  get open(): ReadonlySignal<Conversation | undefined> {
    return this.#open;
  }

  get messages(): ReadonlySignal<Messages> {
    return this.#messages;
  }

  get running(): ReadonlySignal<ReadonlyMap<string, Running>> {
    return this.#running;
  }

  /** A message as it is at this moment. Reading it follows its answer, where it is being written here. */
  now(message: Message): Message {
    return this.#live.get(message.id)?.value ?? message;
  }

  /** Whether another tab writes it. */
  isWrittenElsewhere({ id }: Message): boolean {
    return this.#parts.tabs.isWritten(id);
  }

  /** Reads what the database has: at the beginning, and when another tab changed something. */
  async reload(): Promise<void> {
    this.#setList(await this.#parts.store.conversations());
    const open = this.#open.value;
    if (open !== undefined) await this.show(open.id);
  }

  /** False where there is no such conversation. */
  async show(id: string | undefined): Promise<boolean> {
    const turn = ++this.#turn;
    const found = this.#conversations.value.find((one) => one.id === id);
    const kept = found === undefined ? [] : await this.#keptMessages(found.id);
    // Another one was opened meanwhile.
    if (turn !== this.#turn) return true;
    batch(() => {
      this.#open.value = found;
      this.#messages.value = new Map(kept.map((message) => [message.id, this.#latest(message)]));
    });
    return found !== undefined || id === undefined;
  }

  /** Sends what was typed, behind the message that is shown last. */
  async send(text: string, attachments: readonly Attachment[]): Promise<void> {
    const conversation =
      this.#open.value ?? this.#begin(titleOf(text || (attachments[0]?.name ?? "")));
    const last = pathOf(this.#messages.value, conversation.shown).at(-1);
    await this.#ask(conversation, last?.id ?? null, { text, attachments });
  }

  /** Asks the same place again with another text: a branch of its own. */
  async edit(message: Message, text: string): Promise<void> {
    const conversation = this.#open.value;
    if (conversation === undefined) return;
    await this.#ask(conversation, message.parent, { text, attachments: message.attachments ?? [] });
  }

  /** Another answer to the same question, beside this one. */
  async regenerate(message: Message): Promise<void> {
    const conversation = this.#open.value;
    if (conversation !== undefined) await this.#answer(conversation, message.parent);
  }

  /** Goes on with an answer that was cut, stopped or broke off: `canContinue`. */
  async continueAnswer(message: Message): Promise<void> {
    const conversation = this.#open.value;
    if (conversation === undefined || this.#running.value.has(message.id)) return;
    if (!this.isWrittenElsewhere(message)) await this.#write(conversation, continued(message));
  }

  /** Results of the calls of an answer, by the ids of these; the answer goes on with them. */
  async giveResults(message: Message, results: ReadonlyMap<string, string>): Promise<void> {
    const conversation = this.#open.value;
    if (conversation === undefined) return;
    let parent = message.id;
    const given: Message[] = [];
    for (const [callId, text] of results) {
      const result = { ...this.#newMessage(conversation, parent, "tool"), text, callId };
      given.push(result);
      parent = result.id;
    }
    await this.#answer(this.#add(conversation, given), parent);
  }

  /** Shows the branch on which the message lies. */
  select(message: Message): void {
    const open = this.#open.value;
    if (open !== undefined) this.#change({ ...open, shown: showing(open.shown, message) }, []);
  }

  stop(id: string): void {
    this.#running.value.get(id)?.stop.abort();
  }

  /** Model, system prompt and settings of the open conversation, or of the new one that will be made. */
  configure(change: Partial<Pick<Conversation, "model" | "system" | "settings">>): void {
    const open = this.#open.value;
    if (open === undefined) this.#parts.preferences.draft(change);
    else this.#change({ ...open, ...change }, []);
  }

  rename({ id }: Conversation, title: string): void {
    const known = this.#conversations.value.find((one) => one.id === id);
    if (known !== undefined) this.#change({ ...known, title }, []);
  }

  /** The conversation up to this message, as a new one. */
  async fork(message: Message): Promise<string | undefined> {
    const open = this.#open.value;
    if (open === undefined) return undefined;
    const path = pathTo(this.#messages.value, message);
    const ids = new Map(path.map(({ id }) => [id, newId()]));
    const now = Date.now();
    const copy = { ...open, id: newId(), createdAt: now, updatedAt: now, shown: {} };
    const messages = path.map((one) => ({
      ...one,
      id: ids.get(one.id) ?? newId(),
      parent: one.parent === null ? null : (ids.get(one.parent) ?? null),
      conversation: copy.id,
    }));
    await this.add([{ conversation: copy, messages }]);
    return copy.id;
  }

  /** Takes a conversation away; what was removed, so that it can be put back with `add`. */
  async remove({ id }: Conversation): Promise<Exported | undefined> {
    const [removed] = await this.export([id]);
    for (const message of removed?.messages ?? []) this.stop(message.id);
    this.#setList(this.#conversations.value.filter((one) => one.id !== id));
    if (this.#open.value?.id === id) await this.show(undefined);
    await this.#parts.store.remove(id);
    this.#parts.tabs.changed();
    return removed;
  }

  /** A message and all that follows it, on every branch; what was removed, for `putBack`. */
  async removeMessage(message: Message): Promise<readonly Message[]> {
    const open = this.#open.value;
    if (open === undefined) return [];
    const gone = subtreeOf(this.#messages.value, message);
    for (const id of gone) this.stop(id);
    const all = [...this.#messages.value];
    const removed = all.filter(([id]) => gone.has(id)).map(([, one]) => this.#latest(one));
    this.#messages.value = new Map(all.filter(([id]) => !gone.has(id)));
    await this.#parts.store.removeMessages([...gone]);
    this.#parts.tabs.changed();
    return removed;
  }

  /** Messages that were removed; their conversation is shown as it was. */
  async putBack(messages: readonly Message[]): Promise<void> {
    await this.#parts.store.put(undefined, messages);
    await this.reload();
    this.#parts.tabs.changed();
  }

  /** Conversations of a file, or that were removed. */
  async add(all: readonly Exported[]): Promise<void> {
    const ids = new Set(all.map(({ conversation }) => conversation.id));
    const others = this.#conversations.value.filter(({ id }) => !ids.has(id));
    this.#setList([...others, ...all.map(({ conversation }) => conversation)]);
    for (const { conversation, messages } of all)
      await this.#parts.store.put(conversation, messages);
    this.#parts.tabs.changed();
  }

  /** All of them where no ids are given. */
  async export(ids?: readonly string[]): Promise<readonly Exported[]> {
    const wanted = this.#conversations.value.filter(({ id }) => ids?.includes(id) ?? true);
    return await Promise.all(
      wanted.map(async (conversation) => ({
        conversation,
        messages: await this.#keptMessages(conversation.id),
      })),
    );
  }

  /** Conversations whose title or messages contain the text. */
  async search(text: string): Promise<readonly Conversation[]> {
    const found = await this.#parts.store.search(text);
    const wanted = text.toLowerCase();
    return this.#conversations.value.filter(
      ({ id, title }) => found.has(id) || title.toLowerCase().includes(wanted),
    );
  }

  #begin(title: string): Conversation {
    const now = Date.now();
    const { model, system, settings } = this.#parts.preferences.forNew.value;
    return {
      id: newId(),
      title,
      createdAt: now,
      updatedAt: now,
      ...(model !== undefined && { model }),
      system,
      settings,
      shown: {},
    };
  }

  async #ask(
    conversation: Conversation,
    parent: string | null,
    { text, attachments }: { readonly text: string; readonly attachments: readonly Attachment[] },
  ): Promise<void> {
    const asked: Message = {
      ...this.#newMessage(conversation, parent, "user"),
      text,
      ...(attachments.length > 0 && { attachments }),
    };
    await this.#answer(this.#add(conversation, [asked]), asked.id);
  }

  async #answer(conversation: Conversation, parent: string | null): Promise<void> {
    await this.#write(conversation, {
      ...this.#newMessage(conversation, parent, "assistant"),
      state: { kind: "writing" },
    });
  }

  /** `unnamed`: an answer without a text yet, or one that is continued. */
  async #write(conversation: Conversation, unnamed: Message): Promise<void> {
    const { server, connection, recordings } = this.#parts;
    const model = modelFor(connection.models.value, conversation.model)?.name ?? conversation.model;
    const begun: Message = { ...unnamed, ...(model !== undefined && { model }) };
    this.#add(conversation, [begun]);
    const isContinued = begun.text !== "" || begun.reasoning !== undefined;
    const path = pathTo(this.#messages.value, begun).slice(0, isContinued ? undefined : -1);
    const stop = new AbortController();
    const wait = signal<number | undefined>(undefined);
    const read = signal<number | undefined>(undefined);
    this.#live.set(begun.id, signal(begun));
    this.#running.value = new Map(this.#running.value).set(begun.id, { stop, wait, read });
    // A model that is not there yet is loaded now.
    const endWatch = connection.watchModel(model);
    const ended = await writeAnswer(begun, {
      server,
      request: chatRequest({ ...conversation, ...(model !== undefined && { model }) }, path),
      signal: stop.signal,
      watch: () => recordings.watch(begun.id, stop.signal),
      onPiece: followPieces(
        (piece) => {
          const live = this.#live.get(piece.id);
          if (live !== undefined) live.value = piece;
        },
        (piece) => {
          if (this.#live.has(piece.id)) void this.#parts.store.put(undefined, [piece]);
        },
      ),
      onWait: (seconds) => {
        wait.value = seconds;
      },
      onRead: (share) => {
        read.value = share;
      },
    });
    endWatch();
    recordings.release(begun.id);
    this.#end(ended);
    if (ended.state.kind === "failed") void connection.look();
  }

  #end(message: Message): void {
    batch(() => {
      const running = new Map(this.#running.value);
      running.delete(message.id);
      this.#running.value = running;
      this.#live.delete(message.id);
      if (this.#messages.value.has(message.id))
        this.#messages.value = new Map(this.#messages.value).set(message.id, message);
    });
    const known = this.#conversations.value.some(({ id }) => id === message.conversation);
    if (known) void this.#parts.store.put(undefined, [message]);
    this.#parts.tabs.changed();
  }

  /** Adds messages to the open conversation, and shows them. */
  #add(conversation: Conversation, messages: readonly Message[]): Conversation {
    const shown = messages.reduce(showing, conversation.shown);
    const changed = { ...conversation, shown, updatedAt: Date.now() };
    const all = new Map(this.#open.value === undefined ? [] : this.#messages.value);
    for (const message of messages) all.set(message.id, message);
    batch(() => {
      this.#messages.value = all;
      this.#change(changed, messages);
    });
    return changed;
  }

  #change(conversation: Conversation, messages: readonly Message[]): void {
    const others = this.#conversations.value.filter(({ id }) => id !== conversation.id);
    batch(() => {
      this.#setList([...others, conversation]);
      const { value: open } = this.#open;
      if (open === undefined || open.id === conversation.id) this.#open.value = conversation;
    });
    void this.#parts.store.put(conversation, messages).then(() => this.#parts.tabs.changed());
  }

  #setList(conversations: readonly Conversation[]): void {
    this.#conversations.value = conversations.toSorted((a, b) => b.updatedAt - a.updatedAt);
  }

  #newMessage({ id }: Conversation, parent: string | null, role: Message["role"]): Message {
    return {
      id: newId(),
      conversation: id,
      parent,
      role,
      createdAt: Date.now(),
      text: "",
      state: { kind: "whole" },
    };
  }

  async #keptMessages(conversation: string): Promise<Message[]> {
    const kept = await this.#parts.store.messagesOf(conversation);
    return kept.toSorted((a, b) => a.createdAt - b.createdAt);
  }

  #latest(message: Message): Message {
    return this.#live.get(message.id)?.peek() ?? message;
  }
}
