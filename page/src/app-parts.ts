/** What all parts of the page are given: made once in main.tsx. */
import type { Signal } from "@preact/signals";
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Connection } from "./api/connection.ts";
import type { Server } from "./api/server.ts";
import type { Chats } from "./chat/chats.ts";
import type { Recordings } from "./map/recordings.ts";
import type { Preferences } from "./storage/preferences.ts";

interface Notice {
  readonly text: string;
  readonly action?: { readonly label: string; run(): void };
}

export interface AppParts {
  readonly server: Server;
  readonly connection: Connection;
  readonly chats: Chats;
  readonly recordings: Recordings;
  readonly preferences: Preferences;
  /** False: the browser keeps nothing. */
  readonly isKept: boolean;
  /** Said to screen readers, politely. */
  readonly announcement: Signal<string>;
  /** Shown for some seconds. */
  readonly notice: Signal<Notice | undefined>;
}

const context = createContext<AppParts | undefined>(undefined);

export const AppProvider = context.Provider;

export function useApp(): AppParts {
  const parts = useContext(context);
  if (parts === undefined) throw new Error("the page's parts are used outside of the page");
  return parts;
}
