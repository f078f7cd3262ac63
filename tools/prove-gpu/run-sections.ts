/**
 * Runs sections one after the other, each in a process of its own: a driver that crashes or hangs ends its section and no
 * other. Facts arrive as messages and are kept at once.
 */
import { type ChildProcess, fork } from "node:child_process";
import { appendFileSync } from "node:fs";
import { type AdapterFacts, type Fact, judgeSection, type SectionResult } from "./result.ts";

/** How a section is started: a module for Node, which sends facts and then "done". */
interface SectionStart {
  readonly module: string;
  readonly args: readonly string[];
  readonly seconds: number;
}

export interface Running {
  readonly sections: readonly SectionResult[];
  readonly startOf: (section: SectionResult) => SectionStart;
  /** Seconds for all of them; those that are not begun by then have failed. */
  readonly seconds: number;
  /** Without this section's card the others have nothing to examine. */
  readonly first: string;
  readonly onAdapter: (adapter: AdapterFacts) => void;
  /** Called after every fact and every change. */
  readonly onChange: () => void;
  readonly onProgress: (text: string) => void;
  /** What sections write to stderr. */
  readonly log: string;
  /** Aborted: the running section ends, the others do not begin. The reason is what is written. */
  readonly signal: AbortSignal;
}

/** How much of what a crashed section wrote last is kept. */
const lastWords = 2000;

export async function runSections(running: Running): Promise<void> {
  const { sections, startOf, seconds, first, onChange, onProgress, signal } = running;
  const began = performance.now();
  let obstacle: string | undefined;
  for (const section of sections) {
    const left = seconds - (performance.now() - began) / 1000;
    if (signal.aborted) obstacle ??= String(signal.reason);
    if (left <= 0) obstacle ??= `the ${seconds} seconds of all sections were over`;
    if (obstacle !== undefined) {
      section.faults.push(`not begun: ${obstacle}`);
      section.state = "failed";
      onChange();
      continue;
    }
    section.state = "running";
    onChange();
    onProgress(`${section.title} …`);
    await runSection(section, startOf(section), left, running);
    judgeSection(section);
    onChange();
    if (section.name === first && section.faults.length > 0) [obstacle] = section.faults;
    const failed = section.checks.filter(({ holds }) => !holds).map(({ name }) => name);
    const why = [...section.faults, ...failed].slice(0, 3).join("; ");
    const took = section.seconds.toFixed(1);
    onProgress(`${section.title}: ${section.state}${why && ` (${why})`}, ${took} s`);
  }
}

async function runSection(
  section: SectionResult,
  start: SectionStart,
  left: number,
  running: Running,
): Promise<void> {
  const { onChange, log, signal } = running;
  const began = performance.now();
  const child = fork(start.module, [...start.args], {
    detached: true,
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  let isDone = false;
  let words = "";
  const listen = (chunk: Buffer): void => {
    words = (words + chunk.toString()).slice(-lastWords);
    appendFileSync(log, chunk);
  };
  child.stderr?.on("data", listen);
  child.stdout?.on("data", listen);
  child.on("message", (message) => {
    if (message === "done") isDone = true;
    else if (isFact(message)) {
      keep(section, message, running);
      if (message.kind !== "progress") onChange();
    }
  });
  const seconds = Math.min(start.seconds, left);
  const stop = (why: string): void => {
    section.faults.push(why);
    killGroup(child);
  };
  const timer = setTimeout(
    () => stop(`ended at its deadline of ${Math.round(seconds)} s`),
    seconds * 1000,
  );
  const abort = (): void => stop(`ended: ${String(signal.reason)}`);
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  const ended = await new Promise<string | undefined>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, by) => {
      resolve(code === 0 ? undefined : by === null ? `exit code ${code}` : `signal ${by}`);
    });
  });
  clearTimeout(timer);
  signal.removeEventListener("abort", abort);
  killGroup(child);
  section.seconds = (performance.now() - began) / 1000;
  if (section.faults.length > 0) return;
  const said = words.trim() && `: ${words.trim()}`;
  if (ended !== undefined) section.faults.push(`its process ended by ${ended}${said}`);
  else if (!isDone) section.faults.push(`its process ended before the section did${said}`);
}

/** Processes that a section started end with it. */
function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // They have ended.
  }
}

function keep(section: SectionResult, fact: Fact, { onProgress, onAdapter }: Running): void {
  switch (fact.kind) {
    case "check":
      section.checks.push(fact.check);
      if (!fact.check.holds)
        onProgress(`  does not hold: ${fact.check.name}: ${fact.check.detail}`);
      return;
    case "measure":
      section.measures.push(fact.measure);
      return;
    case "note":
      section.notes.push(fact.text);
      return;
    case "adapter":
      onAdapter(fact.adapter);
      return;
    case "fault":
      section.faults.push(fact.text);
      return;
    case "progress":
      onProgress(`  ${fact.text}`);
      return;
    default:
      fact satisfies never;
  }
}

function isFact(message: unknown): message is Fact {
  return typeof message === "object" && message !== null && "kind" in message;
}
