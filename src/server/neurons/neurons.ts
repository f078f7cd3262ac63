/** `/neurons/:name`: what an answer's tokens are computed by, while it is written. See watches.ts. */
import { z } from "zod";
import type { App, ServerContext } from "../context.ts";
import { RequestError } from "../errors.ts";
import { okAnswer } from "../openapi.ts";
import { usualTimeShare, watchHeader } from "./watches.ts";

const shareField = z.coerce.number().min(0).max(1);

/** Nobody guesses it: who knows it sees the answer's text. */
const namePattern = /^[\w-]{16,64}$/;

export function addNeuronRoute(app: App, { watches }: ServerContext): void {
  const schema = {
    summary:
      "Shows, frame by frame, which neurons compute the answer whose request names this reader",
    description: `The next answer whose request has the header ${watchHeader} with this name is shown; then the stream ends. Frames: docs/formats/neuron-frames.md`,
    tags: ["server"],
    querystring: z.object({
      time_share: shareField.optional().describe("Of the time of writing, what showing may take"),
    }),
    params: z.object({ name: z.string().regex(namePattern) }),
    response: okAnswer({ text: "application/octet-stream" }),
  };
  app.addHook("preClose", async () => watches.close());
  app.get<{ Params: { name: string }; Querystring: { time_share?: unknown } }>(
    "/neurons/:name",
    { schema },
    (request, reply) => {
      const { name } = request.params;
      if (!namePattern.test(name)) {
        const message = `name: "${name.slice(0, 80)}" is none for a reader; choose 16 to 64 letters, digits, "-" and "_" that nobody guesses`;
        throw new RequestError("invalid request", message, { field: "name" });
      }
      const share = shareField.safeParse(request.query.time_share ?? usualTimeShare);
      if (!share.success) {
        const message = `time_share: ${JSON.stringify(request.query.time_share).slice(0, 40)} is no number from 0 to 1`;
        throw new RequestError("invalid request", message, { field: "time_share" });
      }
      watches.requireRoom(name);
      reply.hijack();
      const { raw } = reply;
      for (const [header, value] of Object.entries(reply.getHeaders())) {
        if (value !== undefined) raw.setHeader(header, value);
      }
      raw.writeHead(200, {
        "content-type": "application/octet-stream",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
      });
      raw.flushHeaders();
      watches.open(name, raw, share.data);
      return reply;
    },
  );
}
