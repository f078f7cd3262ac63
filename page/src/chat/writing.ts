/** Writes one answer: asks the server and follows its stream. What was written stays, however it ends. */
import { failureInStream, ServerError } from "../api/failures.ts";
import type { Server } from "../api/server.ts";
import { addChunk, readShareIn } from "./chunks.ts";
import type { Message } from "./conversation.ts";
import type { ChatRequest } from "./request.ts";

export interface Writing {
  readonly server: Server;
  readonly request: ChatRequest;
  readonly signal: AbortSignal;
  /** The name of a reader that looks at this answer; undefined: none does. */
  watch(): Promise<string | undefined>;
  /** Called with each piece. */
  onPiece(message: Message): void;
  /** Called when a busy server says to wait; undefined: the waiting is over. */
  onWait(seconds: number | undefined): void;
  /** Called while a prompt is read, with the share that has been; undefined: it is over. */
  onRead(share: number | undefined): void;
}

/** So often a busy server is asked again by itself. */
const patience = 20;

/** The message in its last state: whole, cut, stopped or failed. */
export async function writeAnswer(begun: Message, writing: Writing): Promise<Message> {
  let message = begun;
  const { server, request, signal, onPiece } = writing;
  for (let tries = 0; ; tries++) {
    try {
      const asking = { body: request, signal, watch: await writing.watch() };
      for await (const chunk of server.events("v1/chat/completions", asking)) {
        const failure = failureInStream(chunk);
        if (failure !== undefined) throw new ServerError(failure);
        writing.onRead(readShareIn(chunk));
        message = addChunk(message, chunk);
        onPiece(message);
      }
      return message.state.kind === "cut" ? message : { ...message, state: { kind: "whole" } };
    } catch (error) {
      if (signal.aborted) return { ...message, state: { kind: "stopped" } };
      if (!(error instanceof ServerError)) throw error;
      const { failure } = error;
      if (failure.kind !== "busy" || tries === patience)
        return { ...message, state: { kind: "failed", failure } };
      await waitFor(failure.seconds, writing);
      if (signal.aborted) return { ...message, state: { kind: "stopped" } };
    }
  }
}

/** Ends early when the person stops it. */
async function waitFor(seconds: number, { signal, onWait }: Writing): Promise<void> {
  for (let left = Math.ceil(seconds); left > 0 && !signal.aborted; left--) {
    onWait(left);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, 1000);
      const stop = (): void => {
        clearTimeout(timer);
        resolve();
      };
      signal.addEventListener("abort", stop, { once: true });
    });
  }
  onWait(undefined);
}
