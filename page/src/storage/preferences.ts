/** What a person chose for this browser: how the page looks, and how new conversations begin. The key is kept apart. */
import { type Signal, signal } from "@preact/signals";
import { isRecord } from "../api/failures.ts";
import type { Conversation } from "../chat/conversation.ts";

export type Theme = "system" | "light" | "dark";

/** How a new conversation begins. */
export type Beginning = Pick<Conversation, "system" | "settings"> & { readonly model?: string };

const names = {
  theme: "hearth.theme",
  beginning: "hearth.beginning",
  key: "hearth.key",
  draft: "hearth.draft.",
} as const;

export class Preferences {
  readonly theme: Signal<Theme>;
  /** Of the next conversation: what is kept, until it is changed for the one that is about to begin. */
  readonly forNew: Signal<Beginning>;

  constructor() {
    this.theme = signal(themeIn(read("localStorage", names.theme)));
    this.forNew = signal(this.#keptBeginning());
  }

  setTheme(theme: Theme): void {
    this.theme.value = theme;
    write("localStorage", names.theme, theme);
  }

  /** For the conversation that is about to begin. */
  draft(change: Partial<Beginning>): void {
    this.forNew.value = { ...this.forNew.value, ...change };
  }

  /** The next conversation begins as all of them do. The model that was chosen last stays. */
  resetDraft(): void {
    const { model } = this.forNew.value;
    this.forNew.value = { ...this.#keptBeginning(), ...(model !== undefined && { model }) };
  }

  /** All new conversations begin so. */
  keepBeginning({ system, settings }: Beginning): void {
    write("localStorage", names.beginning, JSON.stringify({ system, settings }));
    this.draft({ system, settings });
  }

  /** What was written and not sent, by conversation; "": of a new one. It outlives a reload of its tab. */
  draftOf(conversation: string): string {
    return read("sessionStorage", `${names.draft}${conversation}`) ?? "";
  }

  keepDraft(conversation: string, text: string): void {
    write("sessionStorage", `${names.draft}${conversation}`, text === "" ? null : text);
  }

  get key(): string | undefined {
    return read("sessionStorage", names.key) ?? read("localStorage", names.key) ?? undefined;
  }

  /** `isKept`: beyond this tab, because the person asked for it. */
  keepKey(key: string, isKept: boolean): void {
    write("sessionStorage", names.key, key);
    write("localStorage", names.key, isKept ? key : null);
  }

  #keptBeginning(): Beginning {
    const empty = { system: "", settings: {} };
    try {
      const kept: unknown = JSON.parse(read("localStorage", names.beginning) ?? "{}");
      if (!isRecord(kept)) return empty;
      const { system, settings } = kept;
      return {
        system: typeof system === "string" ? system : "",
        settings: isRecord(settings) ? (settings as Beginning["settings"]) : {},
      };
    } catch {
      return empty;
    }
  }
}

function themeIn(text: string | null): Theme {
  return text === "light" || text === "dark" ? text : "system";
}

type Place = "localStorage" | "sessionStorage";

/** A browser may forbid it. */
function read(place: Place, name: string): string | null {
  try {
    return globalThis[place].getItem(name);
  } catch {
    return null;
  }
}

/** null: removed. Where it is full or forbidden, it holds for this visit. */
function write(place: Place, name: string, value: string | null): void {
  try {
    if (value === null) globalThis[place].removeItem(name);
    else globalThis[place].setItem(name, value);
  } catch {
    // As above.
  }
}
