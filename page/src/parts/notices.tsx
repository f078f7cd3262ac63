/** What the page tells a person beside the conversation: the state of the server, and what was just done. */
import type { VNode } from "preact";
import { useEffect } from "preact/hooks";
import { useApp } from "../app-parts.ts";
import { texts } from "../texts.ts";
import { Icon } from "./icons.tsx";

const shownFor = 8000;

/** Along the lower edge, for some seconds. */
export function Toast(): VNode {
  const { notice } = useApp();
  const shown = notice.value;
  useEffect(() => {
    if (shown === undefined) return undefined;
    const timer = setTimeout(() => {
      notice.value = undefined;
    }, shownFor);
    return () => clearTimeout(timer);
  }, [shown, notice]);
  const forget = (): void => {
    notice.value = undefined;
  };
  return (
    <div class="toasts" role="status">
      {shown !== undefined && (
        <div class="toast">
          <span>{shown.text}</span>
          {shown.action && (
            <button
              type="button"
              onClick={() => {
                shown.action?.run();
                forget();
              }}
            >
              {shown.action.label}
            </button>
          )}
          <button type="button" class="quiet" aria-label={texts.sidebar.forget} onClick={forget}>
            <Icon name="close" />
          </button>
        </div>
      )}
    </div>
  );
}

/** Above the conversation, as long as something is not as it should be. */
export function Banner(): VNode {
  const { connection, isKept } = useApp();
  const text = useConditionText();
  const isAway = connection.condition.value.kind === "away";
  return (
    <div class="banners" role="status">
      {text !== undefined && (
        <p class="banner">
          {text}{" "}
          {isAway && (
            <button type="button" onClick={() => void connection.look()}>
              {texts.connection.again}
            </button>
          )}
        </p>
      )}
      {!isKept && <p class="banner">{texts.connection.notKept}</p>}
    </div>
  );
}

function useConditionText(): string | undefined {
  const { connection } = useApp();
  const condition = connection.condition.value;
  switch (condition.kind) {
    case "ready":
    case "locked":
    case "connecting":
      return undefined;
    case "loading":
      return texts.connection.loading;
    case "away":
      return texts.connection.away;
    case "failed":
      return texts.connection.failed(condition.reason);
    default:
      return condition satisfies never;
  }
}
