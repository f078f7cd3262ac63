/** System prompt, all settings of the conversation, and how the page looks. */
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { useApp } from "../app-parts.ts";
import { type SettingGroup, settingsTable } from "../chat/settings.ts";
import type { Theme } from "../storage/preferences.ts";
import { texts } from "../texts.ts";
import { Dialog } from "./dialog.tsx";
import { SettingField } from "./setting-field.tsx";
import { fitHeight } from "./text-field.ts";

export interface SettingsPanelProps {
  onClose(): void;
  onShortcuts(): void;
}

const groups: readonly SettingGroup[] = ["answer", "sampling", "repetition", "form", "other"];

export function SettingsPanel({ onClose, onShortcuts }: SettingsPanelProps): VNode {
  const { chats, preferences, notice } = useApp();
  // Counts how often all fields were emptied: each time they are made anew.
  const [resets, setResets] = useState(0);
  const { system, settings } = chats.open.value ?? preferences.forNew.value;
  const keep = (): void => {
    preferences.keepBeginning({ system, settings });
    notice.value = { text: texts.settings.kept };
  };
  return (
    <Dialog title={texts.settings.title} place="side" onClose={onClose}>
      <div class="settings">
        <p class="hint">{texts.settings.scope}</p>
        <label>
          {texts.settings.system}
          <textarea
            rows={3}
            defaultValue={system}
            placeholder={texts.settings.systemHint}
            onInput={({ currentTarget }) => {
              fitHeight(currentTarget);
              chats.configure({ system: currentTarget.value });
            }}
          />
        </label>
        {groups.map((group) => (
          <details key={`${group} ${resets}`} open={group === "answer" || group === "sampling"}>
            <summary>{texts.settings.groups[group]}</summary>
            <div class="fields">
              {settingsTable
                .filter((setting) => setting.group === group)
                .map((setting) => (
                  <SettingField
                    key={setting.field}
                    setting={setting}
                    settings={settings}
                    onChange={(changed) => chats.configure({ settings: changed })}
                  />
                ))}
            </div>
          </details>
        ))}
        <div class="buttons">
          <button
            type="button"
            onClick={() => {
              chats.configure({ settings: {} });
              setResets(resets + 1);
            }}
          >
            {texts.settings.reset}
          </button>
          <button type="button" onClick={keep}>
            {texts.settings.keep}
          </button>
        </div>
        <Look />
        <button type="button" onClick={onShortcuts}>
          {texts.settings.shortcuts}
        </button>
      </div>
    </Dialog>
  );
}

function Look(): VNode {
  const { preferences } = useApp();
  return (
    <fieldset class="look">
      <legend>{texts.settings.theme}</legend>
      {(["system", "light", "dark"] as const satisfies readonly Theme[]).map((theme) => (
        <label key={theme} class="check">
          <input
            type="radio"
            name="theme"
            checked={preferences.theme.value === theme}
            onChange={() => preferences.setTheme(theme)}
          />
          {texts.settings.themes[theme]}
        </label>
      ))}
    </fieldset>
  );
}
