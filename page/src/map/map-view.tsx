/** The view in which one watches the neurons of an answer: while it is written, and token by token afterwards. */
import type { VNode } from "preact";
import { useCallback, useEffect } from "preact/hooks";
import { useApp } from "../app-parts.ts";
import type { Attachment, Message } from "../chat/conversation.ts";
import type { ViewProps } from "../chat-view.tsx";
import { useConversation } from "../open-conversation.ts";
import { Composer } from "../parts/composer.tsx";
import { ContextMeter } from "../parts/context-meter.tsx";
import { ModelPicker } from "../parts/model-picker.tsx";
import { useKeys } from "../parts/shortcuts.tsx";
import { goTo } from "../routes.ts";
import { texts } from "../texts.ts";
import { MapStage } from "./map-stage.tsx";

/** `rest`: id of the conversation; "": a new one. */
export function MapView({ rest }: ViewProps): VNode {
  const { chats, recordings } = useApp();
  const { open, path, running } = useConversation("map", rest);
  useEffect(() => recordings.look(), [recordings]);
  useEffect(() => {
    document.title = `${texts.map.title} · ${texts.name}`;
  }, []);
  const send = (text: string, attachments: readonly Attachment[]): void => {
    void chats.send(text, attachments);
    const begun = chats.open.value?.id ?? "";
    if (begun !== rest) goTo({ view: "map", rest: begun });
  };
  useKeys(running === undefined ? {} : { escape: () => chats.stop(running) });
  const answer = path.findLast(({ role }) => role === "assistant");
  return (
    <>
      <h1 class="visually-hidden">{texts.map.title}</h1>
      <div class="bar">
        <ModelPicker />
        <ContextMeter path={path} />
      </div>
      <div class="map">
        <div class="map-inside">
          <Shown key={answer?.id ?? ""} answer={answer} running={running} />
        </div>
      </div>
      <Composer conversation={open?.id} running={running} onSend={send} onEditLast={nothing} />
    </>
  );
}

function nothing(): void {}

interface ShownProps {
  readonly answer: Message | undefined;
  readonly running: string | undefined;
}

function Shown({ answer, running }: ShownProps): VNode {
  const { chats, recordings } = useApp();
  const change = recordings.changes.value;
  const recording = answer && recordings.of(answer.id);
  const isRunning = answer !== undefined && answer.id === running;
  const again = useCallback((): void => {
    if (answer !== undefined) void chats.regenerate(answer);
  }, [answer, chats]);
  const labels = texts.map.empty;
  if (recording !== undefined && recording.tokens.length > 0)
    return <MapStage recording={recording} change={change} />;
  if (isRunning) return <p class="map-empty">{labels.waiting}</p>;
  return (
    <div class="map-empty">
      <h2>{labels.title}</h2>
      <p>{labels.text}</p>
      {answer !== undefined && (
        <>
          <p>{labels.again}</p>
          <button type="button" class="primary" disabled={running !== undefined} onClick={again}>
            {labels.rewrite}
          </button>
        </>
      )}
    </div>
  );
}
