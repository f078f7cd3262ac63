/**
 * Runs a partitioned program: submits to one device, works on the other, waits only where a slot crosses.
 * One step at a time; a step that is asked for while another runs waits its turn.
 */
import type {
  ChannelCounts,
  Executable,
  FfnCounts,
  MemoryUse,
  NeuronChange,
  NeuronCounts,
  ShownRow,
  StatePlace,
} from "../../backends/backend.ts";
import type { ExecutableReport, PromptPath } from "../../backends/executable-report.ts";
import { HearthError, UnsupportedError } from "../../core/errors.ts";
import type { Tokens } from "../../core/units.ts";
import type { Slot } from "../../ops/op.ts";
import {
  copyStep,
  createStep,
  type Program,
  purposeOf,
  type RowPurpose,
  type Step,
} from "../../ops/program.ts";
import type { StatePart } from "../../ops/state-parts.ts";
import { cpuDevice, type DeviceId, gpuDevice } from "../../placement/plan.ts";
import type { PromptRule } from "../../placement/prompt-path.ts";
import type { Action, Partition } from "./actions.ts";
import type { HybridExchange } from "./exchange.ts";
import type { ExpertExchange } from "./expert-exchange.ts";
import { joinCounts, joinParts, joinRuns } from "./join-counts.ts";
import { createPatience, exactSleep, type Patience, waitPatiently } from "./patient-wait.ts";
import { HybridRecorder } from "./stats.ts";

export interface HybridExecutable extends Executable {
  /** Exchanges neurons now, where it was made with `adapt` and an exchange is due; it does so by itself when idle. */
  adapt(): Promise<void>;
}

export interface HybridParts {
  readonly program: Program;
  readonly partition: Partition;
  /** Those that the partition uses. */
  readonly devices: ReadonlyMap<DeviceId, Executable>;
  readonly timeline: boolean;
  /** Absent: neurons stay where the placement has them. */
  readonly exchange?: HybridExchange;
  /** Absent: so do experts. */
  readonly experts?: ExpertExchange;
  /** Absent: prompts take the path of answers. */
  readonly promptPath?: PromptRule;
}

export function createHybridExecutable(parts: HybridParts): HybridExecutable {
  return new Hybrid(parts);
}

class Hybrid implements HybridExecutable {
  readonly memory: MemoryUse;
  readonly counts: Executable["counts"];
  /** Which neurons are whose is the exchange's to change. */
  readonly canReplaceNeurons = false;
  readonly #program: Program;
  readonly #partition: Partition;
  readonly #devices: ReadonlyMap<DeviceId, Executable>;
  readonly #recorder: HybridRecorder;
  readonly #exchange: HybridExchange | undefined;
  readonly #experts: ExpertExchange | undefined;
  readonly #promptPath: PromptRule | undefined;
  readonly #freeSteps: Step[] = [];
  readonly #patience: Readonly<Record<RowPurpose, Map<Action, Patience>>> = {
    answer: new Map(),
    proposal: new Map(),
    prompt: new Map(),
  };
  #queue: Promise<void> = Promise.resolve();
  #counts: readonly FfnCounts[] = [];
  #isDisposed = false;
  /** An exchange failed half way: the devices may disagree about which neurons are whose. */
  #broken: unknown;

  constructor(parts: HybridParts) {
    this.#exchange = parts.exchange;
    this.#experts = parts.experts;
    this.#promptPath = parts.promptPath;
    this.#program = parts.program;
    this.#partition = parts.partition;
    this.#devices = parts.devices;
    this.#recorder = new HybridRecorder({ keepsTimeline: parts.timeline });
    this.counts = parts.devices.get(cpuDevice)?.counts ?? "blocks";
    this.memory = sumMemory([...parts.devices.values()]);
  }

  run(segment: number, step: Step): Promise<void> {
    const actions = this.#partition.actions[segment];
    if (actions === undefined) return Promise.reject(new RangeError(`no segment ${segment}`));
    const own = this.#copyStep(step);
    return this.#enqueue(async () => {
      // Here, not when it was asked for: the step before it may have set the timer since.
      this.#exchange?.stop();
      if (segment === 0) await this.#exchange?.watch();
      await this.#perform(segment, actions, own);
      if (segment === 0 && this.#exchange !== undefined) {
        this.#collectCounts(purposeOf(own) === "answer" ? own.answerRows : 0);
      }
      if (segment === 0) await this.#exchangeExperts(own.rowCount);
      this.#exchange?.ran(() => void this.adapt().catch(() => undefined));
      this.#freeSteps.push(own);
    });
  }

  output(slot: Slot): Float32Array {
    const place = this.#partition.outputs.get(slot);
    if (place === undefined) throw new HearthError(`slot ${slot.name} is no segment's output`);
    return this.#device(place.device).output(place.slot);
  }

  write(slot: Slot, data: Float32Array): void {
    const own = data.slice();
    const done = this.#enqueue(async () => {
      for (const copy of this.#partition.copies(slot))
        this.#device(copy.device).write(copy.slot, own);
    });
    // A failure shows in the next run.
    done.catch(() => undefined);
  }

  copySequence(from: number, to: number, length: number): Promise<void> {
    return this.#enqueue(async () => {
      for (const device of this.#devices.values()) await device.copySequence(from, to, length);
    });
  }

  saveState(sequence: number, slot: number): Promise<void> {
    return this.#enqueue(async () => {
      for (const device of this.#devices.values()) await device.saveState(sequence, slot);
    });
  }

  restoreState(slot: number, sequence: number): Promise<void> {
    return this.#enqueue(async () => {
      for (const device of this.#devices.values()) await device.restoreState(slot, sequence);
    });
  }

  /** Where two devices remember a layer, both have the same. */
  readState(at: StatePlace, part: StatePart): Promise<Uint8Array> {
    const [place] = this.#partition.cacheLayers(part.layer);
    if (place === undefined) {
      return Promise.reject(new RangeError(`no device has layer ${part.layer} of the cache`));
    }
    const { device, layer } = place;
    return this.#enqueue(() => this.#device(device).readState(at, { ...part, layer }));
  }

  writeState(at: StatePlace, part: StatePart, bytes: Uint8Array): Promise<void> {
    return this.#enqueue(async () => {
      for (const { device, layer } of this.#partition.cacheLayers(part.layer)) {
        await this.#device(device).writeState(at, { ...part, layer }, bytes);
      }
    });
  }

  finished(): Promise<void> {
    return this.#enqueue(async () => {
      for (const device of this.#devices.values()) await device.finished();
    });
  }

  /** A split block's counts are the sums of its devices; its times are those of the slowest one. */
  ffnCounts(): readonly FfnCounts[] {
    this.#collectCounts();
    const taken = this.#counts;
    this.#counts = [];
    return taken;
  }

  /** Of the neurons on the CPU: those on the GPU are not counted one by one. */
  async neuronCounts(): Promise<readonly NeuronCounts[]> {
    if (this.#exchange !== undefined) return this.#exchange.neuronCounts();
    return (await this.#devices.get(cpuDevice)?.neuronCounts()) ?? [];
  }

  /** Of the neurons on the CPU, as `neuronCounts`; and when both devices worked. */
  async shownRow(): Promise<ShownRow> {
    const cpu = await this.#devices.get(cpuDevice)?.shownRow();
    return { sets: cpu?.sets ?? [], timeline: this.#recorder.takeShown() };
  }

  /** Of one device after the other. */
  channelCounts(): readonly ChannelCounts[] {
    return [...this.#devices.values()].flatMap((device) => device.channelCounts());
  }

  replaceNeurons(_change: NeuronChange): Promise<void> {
    return Promise.reject(
      new UnsupportedError("replacing neurons of a model on two devices", ["adapt"]),
    );
  }

  /** What the GPU says of itself, and what both did together. */
  async report(): Promise<ExecutableReport> {
    this.#collectCounts();
    const gpu = this.#devices.get(gpuDevice);
    const memory = gpu?.memory;
    const gpuBytes = memory ? memory.copiedWeights + memory.kvCache + memory.scratch : 0;
    const exchangedGroups = this.#exchange?.exchangedGroups ?? this.#experts?.exchangedExperts ?? 0;
    const hybrid = { ...this.#recorder.stats(gpuBytes), exchangedGroups };
    return { ...(await gpu?.report()), hybrid, timeline: this.#recorder.timeline };
  }

  adapt(): Promise<void> {
    return this.#enqueue(() =>
      this.#exchanging(async () => void (await this.#exchange?.exchange())),
    );
  }

  [Symbol.dispose](): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#exchange?.stop();
    for (const device of this.#devices.values()) device[Symbol.dispose]();
  }

  #exchangeExperts(tokens: Tokens): Promise<void> {
    return this.#exchanging(async () => this.#experts?.passed(tokens));
  }

  async #exchanging(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#broken = error;
      throw error;
    }
  }

  /** `answerTokens`: how many the counts are of, unless they are of other rows too. */
  #collectCounts(answerTokens: Tokens = 0): void {
    const counted = (device: DeviceId): readonly FfnCounts[] =>
      (this.#devices.get(device)?.ffnCounts() ?? []).filter(({ rows }) => rows > 0);
    const cards = [...this.#devices.keys()].filter((device) => device !== cpuDevice);
    const gpu = cards.flatMap(counted);
    const cpu = counted(cpuDevice);
    this.#recorder.countActive(gpu, cpu);
    if (answerTokens > 0) this.#exchange?.counted(gpu, cpu, answerTokens);
    const fresh = joinCounts([...gpu, ...cpu], joinParts);
    this.#counts = joinCounts([...this.#counts, ...fresh], joinRuns);
  }

  #enqueue<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.#queue.then(() => {
      if (this.#isDisposed)
        throw new HearthError("the executable was disposed before this call ran");
      if (this.#broken !== undefined) throw this.#broken;
      return work();
    });
    this.#queue = done.then(
      () => undefined,
      () => undefined,
    );
    return done;
  }

  async #perform(segment: number, actions: readonly Action[], step: Step): Promise<void> {
    const recorder = this.#recorder;
    const path = this.#pathOf(step);
    // Collect first: counts of a step on one device alone must not be added to counts of a split step.
    if (path !== "split") this.#collectCounts();
    recorder.begin(segment, step, path);
    const waits = new Map<DeviceId, Promise<void>>();
    const running: Promise<void>[] = [];
    try {
      for (const action of actions) {
        if (action.paths?.includes(path) === false) continue;
        if (action.kind === "run") {
          const device = this.#device(action.device);
          const begun = performance.now();
          const isUnread = action.unreadOn?.includes(path) ?? false;
          const done = device.run(action.segment, step, isUnread ? "unread" : "read");
          if (action.hasOutputs) waits.set(action.device, done);
          running.push(expectFailure(done), expectFailure(recorder.ran(action, { begun, device })));
        } else if (action.slots.length > 0) {
          const from = this.#device(action.from);
          const to = this.#device(action.to);
          const longest = recorder.isTiming ? exactSleep : undefined;
          const wait = waits.get(action.from) ?? idle;
          await waitPatiently(wait, this.#patienceFor(action, step), longest);
          recorder.crossed(action, () => {
            for (const slots of action.slots) to.write(slots.to, from.output(slots.from));
            if (action.routes !== undefined) this.#routed(action.routes, from);
          });
        }
      }
    } finally {
      await Promise.allSettled(running);
    }
    await Promise.all(running);
    recorder.end();
    if (path !== "split") this.#collectCounts();
  }

  #pathOf(step: Step): PromptPath {
    const rule = this.#promptPath;
    if (rule === undefined || purposeOf(step) !== "prompt") return "split";
    return step.rowCount >= rule.fromRows ? rule.path : "split";
  }

  #routed(
    { layer, slot }: { readonly layer: number; readonly slot: Slot },
    from: Executable,
  ): void {
    this.#experts?.routed(layer, from.output(slot), slot.width / 2);
  }

  /** Prompts and answers take times of their own. */
  #patienceFor(action: Action, step: Step): Patience {
    const patience = this.#patience[purposeOf(step)];
    const known = patience.get(action);
    if (known !== undefined) return known;
    const fresh = createPatience();
    patience.set(action, fresh);
    return fresh;
  }

  #device(id: DeviceId): Executable {
    const device = this.#devices.get(id);
    if (device === undefined) throw new HearthError(`the placement does not use ${id}`);
    return device;
  }

  /** The caller may change its step as soon as run returned. */
  #copyStep(step: Step): Step {
    const { maxRows, maxOutputs } = this.#program;
    const own = this.#freeSteps.pop() ?? createStep(maxRows, maxOutputs);
    copyStep(step, own);
    return own;
  }
}

/**
 * A promise that is awaited later, when the actions behind it have been asked for: until then its failure must not count
 * as unhandled, which would end the process.
 */
function expectFailure(done: Promise<void>): Promise<void> {
  done.catch(() => undefined);
  return done;
}

const idle: Promise<void> = Promise.resolve();

function sumMemory(executables: readonly Executable[]): MemoryUse {
  const sum = (of: keyof MemoryUse): number =>
    executables.reduce((all, executable) => all + executable.memory[of], 0);
  return {
    mappedWeights: sum("mappedWeights"),
    copiedWeights: sum("copiedWeights"),
    kvCache: sum("kvCache"),
    scratch: sum("scratch"),
  };
}
