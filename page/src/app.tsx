/** The frame of the page: conversations at the side, one of the views beside them, dialogs above. */
import type { Signal } from "@preact/signals";
import type { ComponentType, VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { useApp } from "./app-parts.ts";
import { ChatView, type ViewProps } from "./chat-view.tsx";
import { MapView } from "./map/map-view.tsx";
import { Announcer } from "./parts/announcer.tsx";
import { focusMessageField } from "./parts/composer.tsx";
import { Icon } from "./parts/icons.tsx";
import { Login } from "./parts/login.tsx";
import { Banner, Toast } from "./parts/notices.tsx";
import { SettingsPanel } from "./parts/settings-panel.tsx";
import { Shortcuts, useKeys } from "./parts/shortcuts.tsx";
import { Sidebar, searchFieldId } from "./parts/sidebar.tsx";
import { PlanView } from "./plan/plan-view.tsx";
import { goTo, hashOf, type Route } from "./routes.ts";
import { texts } from "./texts.ts";

interface View {
  /** In the address. */
  readonly name: string;
  readonly title: string;
  readonly Content: ComponentType<ViewProps>;
}

/** The first one is shown where the address names none. */
const views: readonly [View, ...View[]] = [
  { name: "chat", title: texts.views.chat, Content: ChatView },
  { name: "map", title: texts.views.map, Content: MapView },
  { name: "plan", title: texts.views.plan, Content: PlanView },
];

type Panel = "settings" | "shortcuts" | undefined;

export function App({ route }: { readonly route: Signal<Route> }): VNode {
  const { connection } = useApp();
  const [panel, setPanel] = useState<Panel>();
  const [isListOpen, setListOpen] = useState(() => matchMedia("(min-width: 900px)").matches);
  const { view: name, rest } = route.value;
  const view = views.find((one) => one.name === name) ?? views[0];
  const condition = connection.condition.value;
  useTheme();
  useKeys({
    "ctrl+shift+o": () => {
      goTo({ view: "chat", rest: "" });
      focusMessageField();
    },
    "ctrl+k": () => {
      setListOpen(true);
      const focus = (): void => document.getElementById(searchFieldId)?.focus();
      if (isListOpen) focus();
      else requestAnimationFrame(focus);
    },
    "ctrl+,": () => setPanel("settings"),
    "ctrl+/": () => setPanel("shortcuts"),
    "shift+escape": () => focusMessageField(),
  });
  const pick = (): void => {
    if (matchMedia("(max-width: 899px)").matches) setListOpen(false);
  };
  return (
    <div class={isListOpen ? "page with-list" : "page"}>
      <button type="button" class="skip" onClick={skip}>
        {texts.skip}
      </button>
      {isListOpen && (
        <>
          <div class="shade" onClick={() => setListOpen(false)} />
          <aside class="sidebar" aria-label={texts.sidebar.label}>
            <Sidebar onPick={pick} />
          </aside>
        </>
      )}
      <main id="conversation" tabIndex={-1}>
        <header class="top">
          <button
            type="button"
            class="quiet"
            aria-label={isListOpen ? texts.sidebar.close : texts.sidebar.open}
            title={isListOpen ? texts.sidebar.close : texts.sidebar.open}
            aria-expanded={isListOpen}
            onClick={() => setListOpen(!isListOpen)}
          >
            <Icon name="menu" />
          </button>
          {views.length > 1 && <Tabs current={view} rest={rest} />}
          <button
            type="button"
            class="quiet settings-button"
            aria-label={texts.settings.open}
            title={texts.settings.open}
            onClick={() => setPanel("settings")}
          >
            <Icon name="sliders" />
          </button>
        </header>
        <Banner />
        <view.Content rest={rest} />
      </main>
      {panel === "settings" && (
        <SettingsPanel
          onClose={() => setPanel(undefined)}
          onShortcuts={() => setPanel("shortcuts")}
        />
      )}
      {panel === "shortcuts" && <Shortcuts onClose={() => setPanel(undefined)} />}
      {condition.kind === "locked" && <Login isWrong={condition.isWrong} />}
      <Toast />
      <Announcer />
    </div>
  );
}

/** Views of the same conversation. */
function Tabs({ current, rest }: { readonly current: View; readonly rest: string }): VNode {
  return (
    <nav class="tabs" aria-label={texts.views.label}>
      {views.map(({ name, title }) => (
        <a
          key={name}
          class="tab"
          href={hashOf({ view: name, rest })}
          aria-current={name === current.name ? "page" : undefined}
        >
          {title}
        </a>
      ))}
    </nav>
  );
}

function skip(): void {
  document.getElementById("conversation")?.focus();
}

/** For the style sheet: without a choice it follows the system. */
function useTheme(): void {
  const { preferences } = useApp();
  const theme = preferences.theme.value;
  useEffect(() => {
    if (theme === "system") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = theme;
  }, [theme]);
}
