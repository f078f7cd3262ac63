/**
 * `/slots/:id?action=save`, `restore` and `erase`: conversations to files of one folder, and back, or forgotten. Hearth has no
 * places by number: what is saved or erased is the conversation that was answered last, and a restored one is found by its
 * tokens, whatever the number.
 */
import { join } from "node:path";
import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import type { Engine } from "../../index.ts";
import { type BodyFields, bodySchema, createBodyCheck } from "../body-fields.ts";
import type { App, ServerContext } from "../context.ts";
import { RequestError } from "../errors.ts";
import { whenGone } from "../gone.ts";
import { okAnswer } from "../openapi.ts";
import { slotAnswer } from "./answer-schemas.ts";
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
  const summary = "Saves, restores or forgets a conversation (action=save, restore, erase)";
  const schema = {
    summary,
    tags: ["llama.cpp"],
    params: z.object({ id: z.string() }),
    querystring: z.object({
      action: z.enum(["save", "restore", "erase"]),
      model: z.string().optional(),
    }),
    body: bodySchema(fields),
    response: okAnswer({ json: slotAnswer }),
  };
  app.post<SlotRequest>("/slots/:id", { schema }, async (asked, reply) => {
    const { action } = asked.query;
    if (action === "erase") return await erase(asked, reply);
    const folder = requireFolder(context);
    const perform = action === undefined ? undefined : actions.get(action);
    if (perform === undefined) {
      const message = `action: "${action ?? ""}" is not supported; save, restore and erase are`;
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
  async function erase(asked: FastifyRequest<SlotRequest>, reply: FastifyReply): Promise<object> {
    requireChanges(context);
    using lease = await context.models.acquire(modelIn(asked.query), { signal: whenGone(reply) });
    const slot = slotOf(asked.params.id, lease.engine);
    return { id_slot: slot, n_erased: await lease.engine.forgetState() };
  }
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
function requireFolder(context: ServerContext): string {
  const { slotFolder } = context;
  if (slotFolder === undefined) {
    const message =
      "conversations are saved where serve --slot-save-path says; this server has no such folder";
    throw new RequestError("not supported", message);
  }
  requireChanges(context);
  return slotFolder;
}

/** @throws RequestError where nobody has a key */
function requireChanges({ mayChangeServer }: ServerContext): void {
  if (mayChangeServer) return;
  const message =
    "conversations are saved and erased for those alone who have a key: serve --api-key";
  throw new RequestError("not permitted", message);
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
