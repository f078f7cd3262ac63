/** Makes the page's parts and shows it. */
import { signal } from "@preact/signals";
import { render } from "preact";
import { Connection } from "./api/connection.ts";
import { Server } from "./api/server.ts";
import { App } from "./app.tsx";
import { AppProvider } from "./app-parts.ts";
import { Chats } from "./chat/chats.ts";
import { Tabs } from "./chat/tabs.ts";
import { Recordings } from "./map/recordings.ts";
import { registerServiceWorker } from "./offline.ts";
import { followRoute } from "./routes.ts";
import { MemoryStore } from "./storage/conversation-store.ts";
import { Database } from "./storage/database.ts";
import { Preferences } from "./storage/preferences.ts";
import "./style/style.css";

const preferences = new Preferences();
const server = new Server(new URL(".", location.href).href, preferences.key);
const connection = new Connection(server);
const database = await Database.open().catch(() => undefined);
const store = database ?? new MemoryStore();
const tabs = new Tabs();
const recordings = new Recordings(server);
const chats = new Chats({ server, connection, preferences, store, tabs, recordings });
const parts = {
  server,
  connection,
  chats,
  recordings,
  preferences,
  isKept: database !== undefined,
  announcement: signal(""),
  notice: signal(undefined),
};

await chats.reload();
const place = document.getElementById("app");
if (place !== null) {
  render(
    <AppProvider value={parts}>
      <App route={followRoute()} />
    </AppProvider>,
    place,
  );
}
void connection.look();
addEventListener("online", () => void connection.look());
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) void connection.look();
});
registerServiceWorker();
