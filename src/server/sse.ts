/** Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html), as the form of a stream. */
import type { StreamForm } from "./stream.ts";

/** `data: {…}` and an empty line. JSON has no line breaks, so one line of data is enough. */
export function dataEvent(value: object): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}

/** The same with a name, as Anthropic's clients expect it. */
export function namedEvent(name: string, value: object): string {
  return `event: ${name}\n${dataEvent(value)}`;
}

/** What ends a stream of OpenAI's form. */
export const doneEvent = "data: [DONE]\n\n";

/** `errorEvent`: how a dialect says in the middle of a stream that it fails. */
export function eventStream(errorEvent: StreamForm["errorPart"]): StreamForm {
  return {
    contentType: "text/event-stream",
    ping: ": ping\n\n",
    errorPart: errorEvent,
  };
}
