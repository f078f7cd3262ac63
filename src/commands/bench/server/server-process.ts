/** A server that the bench starts itself, on a free port of this machine, and ends. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { isRecord } from "../../../core/check-options.ts";
import { DeviceError } from "../../../core/errors.ts";
import { packagePath } from "../../../core/package-root.ts";
import type { Milliseconds, Tokens } from "../../../core/units.ts";

export interface ServerSettings {
  readonly model: string;
  readonly threads: number | undefined;
  /** Answers at the same time. */
  readonly slots: number;
  /** Of each answer, with its prompt. */
  readonly contextLength: Tokens;
}

export interface RunningServer extends AsyncDisposable {
  readonly url: string;
}

/** A large model from a cold disk. */
const longestLoad: Milliseconds = 300_000;
const betweenLooks: Milliseconds = 100;
/** After SIGTERM. */
const longestEnd: Milliseconds = 5000;
/** Of what a program that failed has written. */
const shownCharacters = 500;

/** `hearth serve` of this package. @throws DeviceError when it does not come up */
export async function startHearth(settings: ServerSettings): Promise<RunningServer> {
  const { model, threads, slots, contextLength } = settings;
  return await start([process.execPath, packagePath("bin/hearth.cjs")], (port) => [
    ...["serve", "-m", model, "--port", `${port}`, "--parallel", `${slots}`],
    ...["--context", `${contextLength}`, "--log", "off", "-q"],
    ...(threads === undefined ? [] : ["--threads", `${threads}`]),
  ]);
}

/**
 * llama.cpp's server: `command` is its path, or a command that starts it (split at spaces). Its context is that of all slots
 * together. @throws DeviceError when it does not come up
 */
export async function startLlamaServer(
  command: string,
  settings: ServerSettings,
): Promise<RunningServer> {
  const { model, threads, slots, contextLength } = settings;
  const words = existsSync(command) ? [resolve(command)] : command.trim().split(/\s+/);
  return await start(words, (port) => [
    ...["-m", model, "--host", "127.0.0.1", "--port", `${port}`, "-np", `${slots}`],
    ...["-c", `${slots * contextLength}`],
    ...(threads === undefined ? [] : ["-t", `${threads}`]),
  ]);
}

async function start(
  [program = "", ...first]: readonly string[],
  argumentsFor: (port: number) => readonly string[],
): Promise<RunningServer> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(program, [...first, ...argumentsFor(port)], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const said = lastOf(child);
  const ended = new Promise<string>((done) => {
    child.on("error", (error) => done(error.message));
    child.on("exit", (code, signal) =>
      done(`it ended with ${signal ?? `code ${code}`}: ${said()}`),
    );
  });
  const end = async (): Promise<void> => {
    child.kill();
    const timer = setTimeout(() => child.kill("SIGKILL"), longestEnd);
    await ended;
    clearTimeout(timer);
  };
  const failure = await Promise.race([ended, healthy(url)]);
  if (failure === undefined) return { url, [Symbol.asyncDispose]: end };
  await end();
  throw new DeviceError(`${[program, ...first].join(" ")} does not serve: ${failure}`);
}

/** Undefined as soon as /health is 200, as both servers have it; else a sentence. */
async function healthy(url: string): Promise<string | undefined> {
  for (const end = Date.now() + longestLoad; Date.now() < end; ) {
    const response = await fetch(`${url}/health`).catch(() => undefined);
    await response?.body?.cancel();
    if (response?.ok) return undefined;
    await pause(betweenLooks);
  }
  return `its model was not loaded after ${longestLoad / 1000} s`;
}

function lastOf(child: ChildProcess): () => string {
  let text = "";
  child.stderr?.on("data", (bytes: Buffer) => {
    text = (text + bytes.toString("utf8")).slice(-shownCharacters);
  });
  return () => text.trim();
}

/** It may be taken before the server has it: then the server says so. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address: unknown = server.address();
  await new Promise((done) => server.close(done));
  if (isRecord(address) && typeof address["port"] === "number") return address["port"];
  throw new DeviceError("no port of 127.0.0.1 is free");
}
