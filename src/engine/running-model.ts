/**
 * The model that an engine answers with: opened, with its scheduler, and opened again when its device has failed.
 * An answer that is asked for while the model is being opened again waits for that.
 */
import { defined } from "../core/defined.ts";
import { DeviceError, HearthError } from "../core/errors.ts";
import type { Bytes } from "../core/units.ts";
import type { Activity } from "../runtime/activity.ts";
import type { PrefixCache } from "../runtime/prefix/prefix-cache.ts";
import { Scheduler } from "../runtime/scheduler.ts";
import type { SequenceWork } from "../runtime/seat.ts";
import { SliceByTime } from "../runtime/slice-by-time.ts";
import { type OpenedModel, openModelFile } from "./open.ts";
import type { Device, EngineOptions } from "./options.ts";
import { openRemembered, type Remembered } from "./remembered.ts";

export class RunningModel implements Disposable {
  readonly #path: string;
  readonly #options: EngineOptions;
  readonly #waiting = new Set<SequenceWork>();
  /** Conversations that left their sequences, also those of before the model was opened again. */
  #remembered: Remembered | undefined;
  #opened: OpenedModel;
  #scheduler: Scheduler;
  #notices: readonly string[];
  /** Settles when the last call of `reopen` is done. */
  #reopening: Promise<void> | undefined;
  /** Why the model could not be opened again. */
  #failure: unknown;
  #isClosed = false;

  private constructor(
    path: string,
    options: EngineOptions,
    { opened, remembered }: RememberingModel,
  ) {
    this.#path = path;
    this.#options = options;
    this.#remembered = remembered;
    this.#opened = opened;
    this.#notices = opened.notices;
    this.#scheduler = this.#schedule(opened);
  }

  /** `options` have been checked. @throws as openModelFile */
  static async open(path: string, options: EngineOptions): Promise<RunningModel> {
    return new RunningModel(path, options, await openRemembering(path, options));
  }

  get opened(): OpenedModel {
    return this.#opened;
  }

  get notices(): readonly string[] {
    const trouble = this.#remembered?.disk?.trouble;
    if (trouble === undefined) return this.#notices;
    return [...this.#notices, `not every conversation is kept in the folder cacheDisk: ${trouble}`];
  }

  /** What conversations that left their sequences take of memory at most. */
  get cacheRam(): Bytes {
    return this.#remembered?.cacheRam ?? 0;
  }

  get activity(): Activity {
    return this.#scheduler.activity;
  }

  /** What stands in the way of every answer, where nothing mends it with the next one. */
  get failure(): unknown {
    if (this.#reopening !== undefined) return undefined;
    const failure = this.#failure ?? this.#scheduler.failure;
    if (failure === undefined) return this.#changedFile;
    return failure instanceof DeviceError && this.#goesOnOnCpu ? undefined : failure;
  }

  /**
   * Queues an answer. It fails where its prompt is longer than the context, the queue is full, the file that it would be
   * computed from has changed, or the device has failed.
   */
  submit(active: SequenceWork): void {
    const tooLong = this.#scheduler.tooLong(active);
    if (tooLong !== undefined) {
      active.fail(tooLong);
      return;
    }
    const lost = this.#scheduler.failure;
    if (lost instanceof DeviceError && this.#goesOnOnCpu) void this.#goOnOnCpu(lost);
    if (this.#reopening === undefined) this.#submitNow(active);
    else this.#submitLater(active, this.#reopening);
  }

  /** Work between two steps, with what runs the model then. @throws what stands in the way of answers */
  async between<Result>(
    work: (running: {
      readonly opened: OpenedModel;
      readonly scheduler: Scheduler;
      readonly prefixes: PrefixCache | undefined;
    }) => Promise<Result>,
  ): Promise<Result> {
    await this.#reopening?.catch(() => undefined);
    const failure = this.#failure ?? this.#scheduler.failure;
    if (failure !== undefined) throw failedEngine(failure);
    const prefixes = this.#remembered?.prefixes;
    return work({ opened: this.#opened, scheduler: this.#scheduler, prefixes });
  }

  /** Resolves when what the sequences hold is on the disk, where that was asked for. */
  async remember(): Promise<void> {
    const disk = this.#remembered?.disk;
    if (disk === undefined) return;
    await this.between(({ scheduler }) => scheduler.remember());
    await disk.flush();
  }

  /** Ends all answers and opens the model again, on `device` or as it was opened first. @throws as openModelFile */
  reopen(device?: Device): Promise<void> {
    const options = device === undefined ? this.#options : optionsFor(device, this.#options);
    const before = this.#reopening ?? Promise.resolve();
    const reopening = before.catch(() => undefined).then(() => this.#openAgain(options));
    const done = (): void => {
      if (this.#reopening === reopening) this.#reopening = undefined;
    };
    this.#reopening = reopening;
    reopening.then(done, done);
    return reopening;
  }

  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const active of this.#waiting) active.abort();
    this.#scheduler.abortAll();
    this.#opened[Symbol.dispose]();
  }

  get #changedFile(): unknown {
    try {
      this.#opened.checkFiles();
      return undefined;
    } catch (error) {
      return error;
    }
  }

  /** Not while the model is being opened again, and not where that has failed. */
  get #goesOnOnCpu(): boolean {
    const isFree = this.#reopening === undefined && this.#failure === undefined;
    return isFree && this.#options.onDeviceLost === "cpu";
  }

  async #goOnOnCpu(lost: DeviceError): Promise<void> {
    try {
      await this.reopen("cpu");
      const notice = `answers are computed on the CPU from now on: ${lost.message}`;
      this.#notices = [notice, ...this.#opened.notices];
    } catch {
      // The answers that wait reject with it.
    }
  }

  #schedule({ session }: OpenedModel): Scheduler {
    const { maxQueue, promptSlice } = this.#options;
    const prefixes = this.#remembered?.prefixes;
    const policy =
      promptSlice === undefined ? new SliceByTime(session.program.maxRows) : { slice: promptSlice };
    return new Scheduler(session, defined({ maxQueue, policy, prefixes }));
  }

  #submitNow(active: SequenceWork): void {
    if (this.#isClosed) {
      active.abort();
      return;
    }
    try {
      this.#opened.checkFiles();
      const failure = this.#failure ?? this.#scheduler.failure;
      if (failure !== undefined) throw failedEngine(failure);
      this.#scheduler.submit(active);
    } catch (error) {
      active.fail(error);
    }
  }

  #submitLater(active: SequenceWork, reopening: Promise<void>): void {
    this.#waiting.add(active);
    const submit = (): void => {
      this.#waiting.delete(active);
      this.#submitNow(active);
    };
    reopening.then(submit, submit);
  }

  async #openAgain(options: EngineOptions): Promise<void> {
    if (this.#isClosed) throw closedEngine();
    this.#scheduler.abortAll();
    this.#opened[Symbol.dispose]();
    let running: RememberingModel;
    try {
      running = await openRemembering(this.#path, options, this.#remembered);
    } catch (error) {
      this.#failure = error;
      throw error;
    }
    const { opened, remembered } = running;
    if (this.#isClosed) {
      opened[Symbol.dispose]();
      throw closedEngine();
    }
    this.#failure = undefined;
    this.#opened = opened;
    this.#remembered = remembered;
    this.#notices = opened.notices;
    this.#scheduler = this.#schedule(opened);
  }
}

interface RememberingModel {
  readonly opened: OpenedModel;
  readonly remembered: Remembered | undefined;
}

/** `before`: of the same model, which was closed. @throws as openModelFile; FileAccessError for a folder that takes no files */
async function openRemembering(
  path: string,
  options: EngineOptions,
  before?: Remembered,
): Promise<RememberingModel> {
  const opened = await openModelFile(path, options, "per sequence");
  try {
    return { opened, remembered: await openRemembered(opened, options, before) };
  } catch (error) {
    opened[Symbol.dispose]();
    throw error;
  }
}

/** What was said about a card has no meaning on another device; the signal of the first load is spent. */
function optionsFor(device: Device, options: EngineOptions): EngineOptions {
  const { gpu, vramBudget, hardware, objective, plan, timeline, adapt, ...rest } = options;
  return { ...rest, device };
}

function closedEngine(): HearthError {
  return new HearthError(
    "this engine was closed while it was opened again; open the model with Engine.open",
  );
}

function failedEngine(failure: unknown): HearthError {
  const reason = failure instanceof Error ? failure.message : String(failure);
  const message =
    `this engine writes no answers until engine.reopen() opens the model again, or engine.reopen({ device: "cpu" }) ` +
    `without the card (onDeviceLost "cpu" does that by itself): ${reason}`;
  const options = { cause: failure };
  return failure instanceof DeviceError
    ? new DeviceError(message, options)
    : new HearthError(message, options);
}
