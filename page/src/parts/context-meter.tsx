/** How much of the model's context the conversation has filled: what the last answer's request and text had. */
import type { VNode } from "preact";
import { modelFor } from "../api/models.ts";
import { useApp } from "../app-parts.ts";
import type { Message } from "../chat/conversation.ts";
import { texts } from "../texts.ts";

export function ContextMeter({ path }: { readonly path: readonly Message[] }): VNode | null {
  const { connection, chats, preferences } = useApp();
  const chosen = (chats.open.value ?? preferences.forNew.value).model;
  const { status } = modelFor(connection.models.value, chosen) ?? {};
  if (status?.kind !== "loaded" || status.context === 0) return null;
  const numbers = path.findLast((message) => message.numbers !== undefined)?.numbers;
  const { context } = status;
  // A last token is in no cache: nothing follows it.
  const used = Math.min(context, (numbers?.prompt ?? 0) + (numbers?.completion ?? 0));
  return (
    <div class="context" title={texts.meter.explained(used, context)}>
      <meter
        aria-label={texts.meter.label}
        min={0}
        max={context}
        high={0.85 * context}
        value={used}
      />
      <span>{texts.meter.used(used, context)}</span>
    </div>
  );
}
