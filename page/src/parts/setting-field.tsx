/** One setting: what it is called, what it does, and a field that says what is wrong with what was typed. */
import type { VNode } from "preact";
import { useId, useState } from "preact/hooks";
import { judgeSetting, type Setting, type Settings } from "../chat/settings.ts";
import { texts } from "../texts.ts";

export interface SettingFieldProps {
  readonly setting: Setting;
  readonly settings: Settings;
  onChange(settings: Settings): void;
}

export function SettingField({ setting, settings, onChange }: SettingFieldProps): VNode {
  const { field, form } = setting;
  const id = useId();
  const [wrong, setWrong] = useState<string>();
  const [label, hint] = texts.settings.fields[field] ?? [field, ""];
  const kept = settings[field];
  const take = (typed: string): void => {
    const judged = judgeSetting(setting, typed);
    setWrong(judged.kind === "bad" ? texts.settings.wrong[judged.why] : undefined);
    if (judged.kind === "bad") return;
    const { [field]: _, ...others } = settings;
    onChange(judged.kind === "empty" ? others : { ...others, [field]: judged.value });
  };
  const shared = {
    id,
    "aria-describedby": `${id}-hint`,
    "aria-invalid": wrong !== undefined,
  } as const;
  const isLong = form.kind === "json" || form.kind === "lines" || form.kind === "text";
  return (
    <div class={isLong ? "field long" : "field"}>
      <label for={id}>{label}</label>
      <Input
        setting={setting}
        kept={kept === undefined ? "" : String(kept)}
        onTyped={take}
        {...shared}
      />
      <p id={`${id}-hint`} class="hint">
        {wrong === undefined ? hint : <strong role="alert">{wrong}</strong>}
      </p>
    </div>
  );
}

interface InputProps {
  readonly id: string;
  readonly "aria-describedby": string;
  readonly "aria-invalid": boolean;
  readonly setting: Setting;
  readonly kept: string;
  onTyped(typed: string): void;
}

function Input({ setting: { form, usual }, kept, onTyped, ...shared }: InputProps): VNode {
  const placeholder = usual === undefined ? "" : texts.settings.usual(usual);
  switch (form.kind) {
    case "number":
    case "whole":
    case "word":
      return (
        <input
          {...shared}
          inputMode={form.kind === "word" ? "text" : "decimal"}
          autocomplete="off"
          defaultValue={kept}
          placeholder={placeholder}
          onInput={({ currentTarget }) => onTyped(currentTarget.value)}
        />
      );
    case "flag":
    case "choice": {
      const values = form.kind === "flag" ? ["true", "false"] : form.values.map(String);
      const nameOf = (value: string): string =>
        form.kind === "flag" ? texts.settings.flags[value === "true" ? "true" : "false"] : value;
      return (
        <select
          {...shared}
          value={kept}
          onChange={({ currentTarget }) => onTyped(currentTarget.value)}
        >
          <option value="">{placeholder || texts.settings.left}</option>
          {values.map((value) => (
            <option key={value} value={value}>
              {nameOf(value)}
            </option>
          ))}
        </select>
      );
    }
    case "text":
    case "lines":
    case "json":
      return (
        <textarea
          {...shared}
          rows={2}
          spellcheck={false}
          defaultValue={kept}
          onInput={({ currentTarget }) => onTyped(currentTarget.value)}
        />
      );
    default:
      return form satisfies never;
  }
}
