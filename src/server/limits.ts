/** How much the server takes of one client. Times are in milliseconds. */
import type { Bytes, Milliseconds } from "../core/units.ts";
import type { StreamTimes } from "./stream.ts";

export interface Limits {
  /** Of a body. A million tokens of English are 4 MB; JSON and images of other engines' clients need more. */
  readonly bodyBytes: Bytes;
  /** For headers and body to arrive. */
  readonly requestTime: Milliseconds;
  /** Longer than the 60 s for which nginx and load balancers keep an idle connection: the server must not close first. */
  readonly keepAliveTime: Milliseconds;
  /** Answers to one request: prompts × n. OpenAI takes 128. */
  readonly answersPerRequest: number;
  /** Top log-probabilities of a token. OpenAI takes 20. */
  readonly topLogprobs: number;
  readonly stream: StreamTimes;
}

export const defaultLimits: Limits = {
  bodyBytes: 32 * 1024 * 1024,
  requestTime: 60_000,
  keepAliveTime: 75_000,
  answersPerRequest: 128,
  topLogprobs: 100,
  stream: { firstPiece: 5000, ping: 15_000, stall: 120_000 },
};
