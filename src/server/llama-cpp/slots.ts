/**
 * `/slots/:id?action=save` and `restore`: conversations to files of one folder, and back. Hearth has no places by number: what
 * is saved is the conversation that was answered last, and a restored one is found by its tokens, whatever the number.
 */
import { join } from "node:path";
import { z } from "zod";
import type { Engine } from "../../index.ts";
import { type BodyFields, createBodyCheck } from "../body-fields.ts";
import type { App, ServerContext } from "../context.ts";
import { RequestError } from "../errors.ts";
import { whenGone } from "../gone.ts";
import { modelIn } from "./props.ts";

interface SlotBody {
  readonly filename: string;
}

const fields: BodyFields<SlotBody> = {
  schema: z.object({ filename: z.string() }).meta({ id: "SlotRequest" }),
  idle: [],
  absent: {},
};

interface SlotRequest {
  Params: { id: string };
  Querystring: { action?: string };
}

export function addSlotRoutes(app: App, context: ServerContext): void {
  const judge = createBodyCheck(fields, context);
  const summary = "Saves or restores a conversation (action=save, action=restore)";
  const schema = { summary, tags: ["llama.cpp"], body: fields.schema };
  app.post<SlotRequest>("/slots/:id", { schema }, async (asked, reply) => {
    const folder = requireFolder(context);
    const { action } = asked.query;
    const perform = action === undefined ? undefined : actions.get(action);
    if (perform === undefined) {
      const message = `action: "${action ?? ""}" is not supported; save and restore are`;
      throw new RequestError("invalid request", message, { field: "action" });
    }
    const { filename } = judge(asked, reply);
    using lease = await context.models.acquire(modelIn(asked.query), { signal: whenGone(reply) });
    const slot = slotOf(asked.params.id, lease.engine);
    const startedAt = performance.now();
    const done = await perform(lease.engine, join(folder, plainName(filename)));
    const milliseconds = performance.now() - startedAt;
    return { id_slot: slot, filename, ...done, timings: { [`${action}_ms`]: milliseconds } };
  });
}

type Perform = (engine: Engine, path: string) => Promise<object>;

const actions: ReadonlyMap<string, Perform> = new Map<string, Perform>([
  [
    "save",
    async (engine, path) => {
      const { tokens, bytes } = await engine.saveState(path);
      return { n_saved: tokens, n_written: bytes };
    },
  ],
  [
    "restore",
    async (engine, path) => {
      const { tokens } = await engine.loadState(path);
      return { n_restored: tokens };
    },
  ],
]);

/** @throws RequestError where files may not be written, or no folder was given for them */
function requireFolder({ slotFolder, mayChangeServer }: ServerContext): string {
  if (slotFolder === undefined) {
    const message =
      "conversations are saved where serve --slot-save-path says; this server has no such folder";
    throw new RequestError("not supported", message);
  }
  if (mayChangeServer) return slotFolder;
  throw new RequestError(
    "not permitted",
    "files are written for those alone who have a key: serve --api-key",
  );
}

/** @throws RequestError for what is a path, hidden, or no name at all */
function plainName(filename: string): string {
  if (/^[\w][\w .-]{0,99}$/.test(filename)) return filename;
  const message = `filename: ${JSON.stringify(filename.slice(0, 60))} is no plain name; letters, digits, ".", "-" and "_" are allowed`;
  throw new RequestError("invalid request", message, { field: "filename" });
}

function slotOf(id: string, { sequences }: Engine): number {
  const slot = Number(id);
  if (/^\d+$/.test(id) && slot < sequences) return slot;
  throw new RequestError("not found", `there is no slot ${id}; they are 0 to ${sequences - 1}`);
}
