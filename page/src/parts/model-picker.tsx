/** Which model answers, and whether it is in memory. To pick one loads it. */
import type { VNode } from "preact";
import { ServerError } from "../api/failures.ts";
import { type Model, modelFor } from "../api/models.ts";
import { useApp } from "../app-parts.ts";
import { failureText, texts } from "../texts.ts";

export function ModelPicker(): VNode {
  const { chats, connection, notice, preferences, server } = useApp();
  const models = connection.models.value;
  const chosen = (chats.open.value ?? preferences.forNew.value).model;
  const model = modelFor(models, chosen);
  const pick = (name: string): void => {
    chats.configure({ model: name });
    // The server loads a model that it is asked about.
    const endWatch = connection.watchModel(name);
    void server
      .json(`props?model=${encodeURIComponent(name)}`)
      .catch((error: unknown) => {
        if (error instanceof ServerError) notice.value = { text: failureText(error.failure) };
      })
      .finally(() => {
        endWatch();
        void connection.look();
      });
  };
  return (
    <div class="model">
      {models.length > 1 ? (
        <select
          aria-label={texts.model.label}
          value={model?.name}
          onChange={({ currentTarget }) => pick(currentTarget.value)}
        >
          {models.map(({ name }) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      ) : (
        <span class="only" title={model?.name}>
          {model?.name ?? texts.model.any}
        </span>
      )}
      {model !== undefined && <Status model={model} />}
    </div>
  );
}

function Status({ model: { status } }: { readonly model: Model }): VNode | null {
  switch (status.kind) {
    case "loaded":
      return null;
    case "unloaded":
      return <span class="status">{texts.model.unloaded}</span>;
    case "loading":
      return (
        <span class="status">
          {texts.model.loading(status.share)}
          <progress
            aria-label={texts.model.loading(undefined)}
            {...(status.share !== undefined && { value: status.share })}
          />
        </span>
      );
    default:
      return status satisfies never;
  }
}
