/** What `createServer` accepts, the defaults, and what goes together. */
import { statSync } from "node:fs";
import {
  checkOptions,
  choiceRule,
  countRule,
  flagRule,
  isPlainObject,
  type OptionRules,
  pathRule,
  textListRule,
  textRule,
} from "../core/check-options.ts";
import { OptionError } from "../core/errors.ts";
import type { Milliseconds, Tokens } from "../core/units.ts";
import type { EngineOptions } from "../index.ts";
import { isLoopback } from "./guard/loopback.ts";

/** "text": a line for people. "json": pino's lines. "off": nothing. All of them on stderr. */
export type LogForm = "text" | "json" | "off";

/** "refuse": a 400 that names them. "ignore": they are named in a header of the answer. */
export type UnknownFields = "refuse" | "ignore";

export interface ServerOptions {
  /** Path of the only model: it answers whatever name a client gives. */
  readonly model?: string;
  /** By which it is shown. Default: the name of its file. */
  readonly name?: string;
  /** A folder of models, by their names. Default, without `model`: every model that `hearth list` shows. */
  readonly models?: string;
  /** Default 127.0.0.1: this machine alone. Another one needs `apiKeys`, or `auth` false. */
  readonly host?: string;
  /** Default 8080; 0: a free one. */
  readonly port?: number;
  /** Answers of a model that are written at the same time; others wait. Default 4. */
  readonly parallel?: number;
  /** Answers of a model that may wait; one more is refused with 429 and the time after which to ask again. Default 256. */
  readonly maxQueue?: number;
  /** Tokens of prompt and answer together, of each answer. Default: the model's own, or the longest that fits into memory. */
  readonly contextLength?: Tokens;
  /** Who knows one of them may ask. */
  readonly apiKeys?: readonly string[];
  /** False: other machines may ask without a key. Default true. */
  readonly auth?: boolean;
  /** Origins of web pages that may ask; "*": all. Default: none. */
  readonly cors?: readonly string[];
  /** Names by which the server is reached, beside localhost, this machine's name and addresses. */
  readonly allowedHosts?: readonly string[];
  /** Models in memory at most, with `models`. Default 4. */
  readonly maxModels?: number;
  /** How long a model stays loaded without requests. Default: 5 minutes; with `model`, for ever. */
  readonly keepAlive?: Milliseconds;
  /** A folder in which who has a key may save conversations. Default: none. */
  readonly slotSavePath?: string;
  /** What becomes of fields that hearth does not know. Default "refuse". */
  readonly unknownFields?: UnknownFields;
  /** Default "off". */
  readonly log?: LogForm;
  /** Log how models run, too. Default false. */
  readonly verbose?: boolean;
  /** How models run. */
  readonly engine?: Omit<
    EngineOptions,
    | "contextLength"
    | "sequences"
    | "maxQueue"
    | "signal"
    | "onProgress"
    | "onCompile"
    | "learn"
    | "timeline"
  >;
}

/** With a value for every option that has one. */
export type ResolvedServerOptions = ServerOptions &
  Required<Omit<ServerOptions, "model" | "name" | "models" | "contextLength" | "slotSavePath">>;

const defaults = {
  host: "127.0.0.1",
  port: 8080,
  parallel: 4,
  maxQueue: 256,
  apiKeys: [],
  auth: true,
  cors: [],
  allowedHosts: [],
  maxModels: 4,
  unknownFields: "refuse",
  log: "off",
  verbose: false,
  engine: {},
} as const;

/** As Ollama has it. */
const defaultKeepAlive: Milliseconds = 5 * 60_000;

const rules: OptionRules<ServerOptions> = {
  model: pathRule,
  name: textRule,
  models: pathRule,
  host: textRule,
  port: countRule(0, 65_535),
  parallel: countRule(1, 1024),
  maxQueue: countRule(0),
  contextLength: countRule(1),
  apiKeys: {
    expected: "a list of keys, each without spaces",
    accepts: (value) =>
      textListRule.accepts(value) &&
      Array.isArray(value) &&
      value.every((key) => /^\S+$/.test(key)),
  },
  auth: flagRule,
  cors: {
    expected: 'a list of origins such as "https://app.example", or "*"',
    accepts: (value) =>
      textListRule.accepts(value) && Array.isArray(value) && value.every(isOrigin),
  },
  allowedHosts: textListRule,
  maxModels: countRule(1, 1024),
  keepAlive: {
    expected: "a number of milliseconds of at least 0",
    accepts: (value) => typeof value === "number" && value >= 0,
  },
  slotSavePath: {
    expected: "a folder that is there",
    accepts: (value) =>
      pathRule.accepts(value) &&
      statSync(String(value), { throwIfNoEntry: false })?.isDirectory() === true,
  },
  unknownFields: choiceRule(["refuse", "ignore"]),
  log: choiceRule(["text", "json", "off"]),
  verbose: flagRule,
  engine: { expected: "an object of engine options", accepts: isPlainObject },
};

function isOrigin(value: unknown): boolean {
  if (value === "*" || value === "null") return true;
  return typeof value === "string" && URL.canParse(value) && /^[\w+-]+:\/\/[^/]+\/?$/.test(value);
}

/** @throws OptionError naming the option */
export function resolveServerOptions(options: ServerOptions): ResolvedServerOptions {
  checkOptions(options, rules, "server");
  const given = Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  );
  const keepAlive = options.model === undefined ? defaultKeepAlive : Number.POSITIVE_INFINITY;
  const resolved: ResolvedServerOptions = { ...defaults, keepAlive, ...given };
  requireOneSource(resolved);
  requireKeyOffLoopback(resolved);
  return resolved;
}

function requireOneSource({ model, models, name }: ServerOptions): void {
  if (model !== undefined && models !== undefined) {
    throw new OptionError(
      "models",
      `"${models}" beside a model`,
      "one model or a folder of models",
    );
  }
  if (name !== undefined && model === undefined) {
    throw new OptionError("name", `"${name}" without a model`, "a model that is to have this name");
  }
}

function requireKeyOffLoopback({ host, apiKeys, auth }: ResolvedServerOptions): void {
  if (!auth || apiKeys.length > 0 || isLoopback(host)) return;
  const message = `host: ${host} lets other machines ask; give a key (--api-key, or HEARTH_API_KEY), or --no-auth to let everybody in`;
  throw new OptionError("host", `"${host}"`, "a key", message);
}
