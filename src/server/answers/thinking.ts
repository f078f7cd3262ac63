/** Whether a model's template knows of thinking, where a client asks for it. */
import type { Engine } from "../../index.ts";
import { RequestError } from "../errors.ts";

/**
 * Seen by what the template makes of a message: variables that it does not know change nothing. `field`: what asked for it.
 * @throws RequestError
 */
export function requireThinking(
  engine: Pick<Engine, "renderChat">,
  variables: Readonly<Record<string, unknown>>,
  field: string,
): void {
  const messages = [{ role: "user", content: "Hello" }];
  const on = engine.renderChat(messages, { variables });
  const off = engine.renderChat(messages, { variables: { enable_thinking: false } });
  if (on !== off) return;
  const message = `${field}: the template of this model does not know of thinking`;
  throw new RequestError("not supported", message, { field });
}
