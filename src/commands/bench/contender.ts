/** A model in one configuration, open in hearth and in the programs that it is measured beside; one run of one test. */
import { loadAddon } from "../../backends/addon.ts";
import { type CpuBackend, createCpuBackend } from "../../backends/cpu/cpu-backend.ts";
import { createRandom } from "../../core/random.ts";
import type { BytesPerSecond, Tokens } from "../../core/units.ts";
import { Engine } from "../../engine/engine.ts";
import type { EngineOptions } from "../../engine/options.ts";
import { type AgainstProgram, NodeLlamaCpp } from "./against.ts";
import type { AgainstTest } from "./against-protocol.ts";
import { LlamaBench, type LlamaBenchProgram } from "./llama-bench.ts";
import { physicalCores } from "./machine.ts";
import type { Opponent } from "./opponent.ts";
import { gpuRoof } from "./roof.ts";

export type Test = {
  /** Of the text that is in the cache when the test begins. */
  readonly depth: Tokens;
  readonly tokens: Tokens;
} & ({ readonly kind: "prompt" } | { readonly kind: "decode"; readonly answers: number });

/** The programs that hearth is measured beside, each found before a model is opened. */
export interface Programs {
  readonly llamaBench: LlamaBenchProgram | undefined;
  readonly nodeLlamaCpp: AgainstProgram | undefined;
}

export interface Contender {
  readonly path: string;
  readonly engine: Engine;
  readonly opponents: Opponents;
  /** Measures the roof with the same number of threads; undefined where the model is not on the processor. */
  readonly meter: CpuBackend | undefined;
  readonly samples: ReadonlyMap<Test, Samples>;
  readonly roofs: BytesPerSecond[];
  /** Of a model that is on a card as a whole. */
  readonly gpuRoof: BytesPerSecond | undefined;
}

interface Opponents {
  readonly llamaBench: Opponent | undefined;
  readonly nodeLlamaCpp: Opponent | undefined;
}

/** Tokens per second, a value for each timed round. */
type Samples = { readonly [Side in "hearth" | keyof Opponents]: number[] };

/** @throws as Engine.open; DeviceError when node-llama-cpp cannot open the model. */
export async function openContender(
  path: string,
  options: EngineOptions & { readonly contextLength: Tokens },
  work: { readonly programs: Programs; readonly tests: readonly Test[] },
): Promise<Contender> {
  const roof = await gpuRoof(options);
  const engine = await Engine.open(path, options);
  let meter: CpuBackend | undefined;
  try {
    const isOnCpu = engine.device.startsWith("cpu");
    const { threads } = options;
    if (isOnCpu && loadAddon().kind === "loaded") {
      meter = createCpuBackend(threads === undefined ? {} : { threads });
    }
    const opponents = await openOpponents(work.programs, {
      model: path,
      threads: threads ?? meter?.threads ?? physicalCores() ?? 1,
      contextLength: options.contextLength,
      cacheType: options.cacheType ?? "f16",
      gpu: isOnCpu || options.device === "reference" ? "none" : "auto",
    });
    const samples = new Map(
      work.tests.map((test) => [test, { hearth: [], llamaBench: [], nodeLlamaCpp: [] }]),
    );
    const onCard = engine.device.startsWith("gpu") ? roof : undefined;
    return { path, engine, opponents, meter, samples, roofs: [], gpuRoof: onCard };
  } catch (error) {
    engine.close();
    meter?.[Symbol.dispose]();
    throw error;
  }
}

async function openOpponents(
  { llamaBench, nodeLlamaCpp }: Programs,
  settings: {
    readonly model: string;
    readonly threads: number;
    readonly contextLength: Tokens;
    readonly cacheType: string;
    readonly gpu: "none" | "auto";
  },
): Promise<Opponents> {
  return {
    llamaBench: llamaBench && new LlamaBench(llamaBench, settings),
    nodeLlamaCpp: nodeLlamaCpp && (await NodeLlamaCpp.open(nodeLlamaCpp, settings)),
  };
}

export function closeContender({ engine, opponents, meter }: Contender): void {
  engine.close();
  opponents.llamaBench?.[Symbol.dispose]();
  opponents.nodeLlamaCpp?.[Symbol.dispose]();
  meter?.[Symbol.dispose]();
}

/** Round 0 is the warm-up. */
export async function measureRoof({ meter, roofs }: Contender, round: number): Promise<void> {
  if (meter === undefined) return;
  const bytesPerSecond = await meter.measureRead();
  if (round > 0) roofs.push(bytesPerSecond);
}

/** Measures every side once; round 0 is the warm-up. Who goes first changes from round to round. */
export async function measureSides(contender: Contender, test: Test, round: number): Promise<void> {
  const { engine, opponents, samples } = contender;
  const { vocabulary } = engine.model;
  // The same in every round: read once.
  const before = randomIds(vocabulary, test.depth, 0);
  // Others in every round, so that the cache never holds the beginning of a prompt.
  const ids = randomIds(vocabulary, test.kind === "prompt" ? test.tokens : 1, round + 1);
  const others = (["llamaBench", "nodeLlamaCpp"] as const).filter(
    (side) => isComparable(test) && opponents[side] !== undefined,
  );
  const sides = ["hearth", ...others] as const;
  for (let turn = 0; turn < sides.length; turn++) {
    const side = sides[(round + turn) % sides.length] ?? "hearth";
    const rate =
      side === "hearth"
        ? await runOnce(engine, test, { before, ids })
        : await opponents[side]?.measure(againstTest(test, { before, ids }));
    if (round > 0 && rate !== undefined) samples.get(test)?.[side].push(rate);
  }
}

/** Whether other programs have the test: they write one answer at a time. */
export function isComparable(test: Test): boolean {
  return test.kind === "prompt" || test.answers === 1;
}

function randomIds(vocabulary: number, count: Tokens, seed: number): readonly number[] {
  const random = createRandom(seed);
  // The first few ids of a vocabulary are often control tokens; a random text has none.
  const first = Math.min(16, vocabulary - 1);
  return Array.from({ length: count }, () => first + random.integer(vocabulary - first));
}

/** What a test reads: `before`, untimed, is as long as the test is deep. */
interface TestIds {
  readonly before: readonly number[];
  readonly ids: readonly number[];
}

async function runOnce(engine: Engine, test: Test, { before, ids }: TestIds): Promise<number> {
  const sampling = { ignoreEos: true, seed: 1 };
  if (test.kind === "prompt") {
    // A cache with windows forgets what lies far back: it is filled again for each run.
    if (before.length > 0) await engine.generate(before, { maxTokens: 1, ...sampling }).result;
    const prompt = [...before, ...ids];
    const { timings } = await engine.generate(prompt, { maxTokens: 1, ...sampling }).result;
    return timings.promptTokensPerSecond;
  }
  // Each begins with a token of its own; their first tokens come from one step, and so do all others.
  const answers = Array.from({ length: test.answers }, (_, i) => {
    const first = ((ids[0] ?? 0) + i) % engine.model.vocabulary;
    return engine.generate([...before, first], { maxTokens: test.tokens + 1, ...sampling }).result;
  });
  const results = await Promise.all(answers);
  const slowest = Math.max(...results.map(({ timings }) => timings.decodeMilliseconds));
  return (1000 * test.tokens * test.answers) / slowest;
}

function againstTest(test: Test, { before, ids }: TestIds): AgainstTest {
  if (test.kind === "prompt") return { kind: "prompt", before, ids };
  return { kind: "decode", before, first: ids[0] ?? 0, tokens: test.tokens };
}
