/** How the stand-in hub serves a content, and what it can do wrong on the way. */
import type { IncomingMessage, ServerResponse } from "node:http";

export type Fault =
  | {
      readonly kind: "status";
      readonly status: number;
      readonly error?: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** The line is cut after so many bytes of the body. */
  | { readonly kind: "cut"; readonly after: number }
  /** The bit of the byte at this place in the content is another. */
  | { readonly kind: "flip"; readonly at: number }
  /** The whole content with status 200, whatever part was asked for. */
  | { readonly kind: "whole" }
  /** So many bytes of the body every 20 ms. */
  | { readonly kind: "slow"; readonly bytes: number };

export interface Line {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

export interface ContentAnswer {
  readonly content: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/** The content, or the part of it that the request's Range names, with the fault. */
export function serve(
  { request, response }: Line,
  { content, headers }: ContentAnswer,
  fault: Fault | undefined,
): void {
  const part =
    fault?.kind === "whole" ? undefined : parseRange(request.headers.range, content.length);
  const [begin, end] = part ?? [0, content.length];
  if (begin >= end && content.length > 0) {
    response.writeHead(416, { "content-range": `bytes */${content.length}` }).end();
    return;
  }
  const body = bodyOf(content, begin, end, fault);
  response.writeHead(part === undefined ? 200 : 206, {
    ...headers,
    "content-length": String(end - begin),
    "accept-ranges": "bytes",
    ...(part !== undefined && { "content-range": `bytes ${begin}-${end - 1}/${content.length}` }),
  });
  if (request.method === "HEAD") response.end();
  else if (fault?.kind === "cut") cutAfter(response, body, fault.after);
  else if (fault?.kind === "slow") drip(response, body, fault.bytes);
  else response.end(body);
}

function bodyOf(
  content: Uint8Array,
  begin: number,
  end: number,
  fault: Fault | undefined,
): Uint8Array {
  if (fault?.kind !== "flip" || fault.at < begin || fault.at >= end)
    return content.subarray(begin, end);
  const damaged = content.slice(begin, end);
  damaged.fill((content[fault.at] ?? 0) ^ 1, fault.at - begin, fault.at - begin + 1);
  return damaged;
}

function parseRange(
  range: string | undefined,
  size: number,
): readonly [number, number] | undefined {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(range ?? "") ?? [];
  if (first === undefined) return undefined;
  return [
    Number(first),
    Math.min(size, last === "" || last === undefined ? size : Number(last) + 1),
  ];
}

function cutAfter(response: ServerResponse, body: Uint8Array, after: number): void {
  response.write(body.subarray(0, after), () => response.destroy());
}

function drip(response: ServerResponse, body: Uint8Array, bytes: number): void {
  let at = 0;
  const timer = setInterval(() => {
    response.write(body.subarray(at, at + bytes));
    at += bytes;
    if (at < body.length) return;
    clearInterval(timer);
    response.end();
  }, 20);
  response.on("close", () => clearInterval(timer));
}
