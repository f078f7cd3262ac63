/** Conversations that outlive an engine: what a sequence holds goes to a file between two steps, and comes back. */
import { checkOptions, checkValue, type OptionRules, pathRule } from "../core/check-options.ts";
import { HearthError, LimitError } from "../core/errors.ts";
import type { Bytes, Tokens } from "../core/units.ts";
import { checkReplaceable } from "../io/replace-file.ts";
import type { PrefixCache } from "../runtime/prefix/prefix-cache.ts";
import type { Scheduler } from "../runtime/scheduler.ts";
import type { OpenedModel } from "./open.ts";
import {
  maxNoteBytes,
  maxSavedCheckpoints,
  openStateFile,
  type StateOwner,
  writeStateFile,
} from "./state-file.ts";

export interface SaveStateOptions {
  /** Text that `loadState` gives back: the conversation's messages, say. At most 64 MiB. Default "". */
  readonly note?: string;
}

export interface SavedState {
  /** Of prompt and answer. */
  readonly tokens: Tokens;
  /** Of the file. */
  readonly bytes: Bytes;
}

export interface LoadedState {
  /** Tokens that a prompt which begins with them need not read again. */
  readonly tokens: Tokens;
  readonly note: string;
}

const saveStateRules: OptionRules<SaveStateOptions> = {
  note: {
    expected: "a text of at most 64 MiB",
    accepts: (value) => typeof value === "string" && Buffer.byteLength(value) <= maxNoteBytes,
  },
};

/** @throws OptionError, FileAccessError */
export function checkSaveState(path: string, options: SaveStateOptions): void {
  checkValue(path, "path", pathRule);
  checkOptions(options, saveStateRules, "saveState");
  checkReplaceable(path);
}

/** Of the last answer's sequence. */
export function saveConversation(
  path: string,
  { opened, scheduler }: { readonly opened: OpenedModel; readonly scheduler: Scheduler },
  { note = "" }: SaveStateOptions,
): Promise<SavedState> {
  const { session } = opened;
  return scheduler.between(async ({ recent }) => {
    if (recent === undefined || session.cache.length(recent) === 0) {
      throw new HearthError("there is nothing to save: no answer was asked for yet");
    }
    const held = session.heldState(recent, maxSavedCheckpoints);
    const file = { owner: ownerOf(opened), state: { ...held, note } };
    const bytes = await writeStateFile(path, file, (part) => session.readState(recent, part));
    return { tokens: held.tokens.length, bytes };
  });
}

/** @throws as openStateFile; LimitError where answers are being written in all sequences. */
export function loadConversation(
  path: string,
  { opened, scheduler }: { readonly opened: OpenedModel; readonly scheduler: Scheduler },
): Promise<LoadedState> {
  return scheduler.between(async ({ oldestFree }) => {
    if (oldestFree === undefined) {
      throw new LimitError(
        "every sequence is being written in; load the state when an answer has ended, or open the engine with more sequences",
      );
    }
    using state = await openStateFile(path, ownerOf(opened));
    await opened.session.writeState(oldestFree, state, state.read);
    scheduler.noteFilled(oldestFree);
    return { tokens: state.tokens.length, note: state.note };
  });
}

/**
 * Of the last answer's sequence: what was copied of it is forgotten, too, but for beginnings that other conversations share.
 * Returns how many tokens it had. @throws LimitError while it is being written
 */
export function forgetConversation({
  opened: { session },
  scheduler,
  prefixes,
}: {
  readonly opened: OpenedModel;
  readonly scheduler: Scheduler;
  readonly prefixes: PrefixCache | undefined;
}): Promise<Tokens> {
  return scheduler.between(async ({ recent, isRecentFree }) => {
    if (recent === undefined) return 0;
    if (!isRecentFree) {
      throw new LimitError("the last answer is still being written; forget it when it has ended");
    }
    const tokens = session.cache.tokens(recent).slice();
    session.keep(recent, 0);
    prefixes?.forget(tokens);
    return tokens.length;
  });
}

function ownerOf({ fingerprint, description, session }: OpenedModel): StateOwner {
  const { kv } = session.program;
  return { fingerprint: fingerprint(), vocabulary: description.vocabulary, kv };
}
