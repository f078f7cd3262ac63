/**
 * Runs of streamed segments: their matrices come piece by piece, into one window while kernels read the other. The queue keeps
 * the order: a piece is written behind the kernels that read its window before, and they are submitted when the piece
 * before it has been written.
 */
import type { Bytes } from "../../core/units.ts";
import type { BufferSpec } from "./kernel.ts";
import type { ReadyCall, ReadyProgram } from "./ready-program.ts";
import type { StreamedBuffers } from "./recording-buffers.ts";
import { Uploader } from "./upload.ts";

/** The calls that read one piece; those in front of the first read none. */
interface PieceCalls {
  readonly piece: BufferSpec | undefined;
  readonly calls: ReadyCall[];
}

export class StreamedRuns implements Disposable {
  readonly #ready: Pick<ReadyProgram, "recording" | "gpu" | "open">;
  #uploader: Uploader | undefined;
  #running: Promise<unknown> = Promise.resolve();

  constructor(ready: Pick<ReadyProgram, "recording" | "gpu" | "open">) {
    this.#ready = ready;
  }

  /**
   * Hands over the calls that read a piece as soon as it is written; one run at a time. Returns the bytes that were
   * written. `submit` throws where the run is not to go on.
   */
  run(
    streamed: StreamedBuffers,
    calls: readonly ReadyCall[],
    submit: (calls: readonly ReadyCall[]) => void,
  ): Promise<Bytes> {
    const running = this.#run(streamed, byPiece(calls), submit);
    this.#running = running.catch(() => undefined);
    return running;
  }

  async #run(
    { renewed }: StreamedBuffers,
    groups: readonly PieceCalls[],
    submit: (calls: readonly ReadyCall[]) => void,
  ): Promise<Bytes> {
    this.#uploader ??= new Uploader();
    const pieces = groups.flatMap(({ piece }) => (piece === undefined ? [] : [piece]));
    const places = [...renewed, ...pieces].map((spec) => [spec, this.#place(spec)] as const);
    const total = places.reduce((sum, [{ bytes }]) => sum + bytes, 0);
    const loading = this.#uploader.begin(places, { device: this.#ready.open.device, total });
    for (const _ of renewed) await loading.next();
    for (const { piece, calls } of groups) {
      if (piece !== undefined) await loading.next();
      submit(calls);
    }
    return loading.written;
  }

  [Symbol.dispose](): void {
    // A run under way still reads and packs: it ends at its next submission.
    void this.#running.then(() => this.#uploader?.[Symbol.asyncDispose]());
  }

  #place(spec: BufferSpec): GPUBuffer {
    const { gpu, recording } = this.#ready;
    const place = spec.window === undefined ? spec : recording.windows[spec.window];
    const buffer = place && gpu.get(place);
    if (buffer === undefined) throw new RangeError(`buffer ${spec.label} was not allocated`);
    return buffer;
  }
}

function byPiece(calls: readonly ReadyCall[]): readonly PieceCalls[] {
  const groups: PieceCalls[] = [];
  for (const ready of calls) {
    const piece = pieceOf(ready);
    const last = groups.at(-1);
    if (last !== undefined && (piece === undefined || piece === last.piece)) last.calls.push(ready);
    else groups.push({ piece, calls: [ready] });
  }
  return groups;
}

function pieceOf({ call }: ReadyCall): BufferSpec | undefined {
  return call.bindings.find(({ buffer }) => buffer.window !== undefined)?.buffer;
}
