/**
 * Errors with fields. The message says what was wrong, the value found and what to do;
 * the fields let a program distinguish cases. A message is one visible line of bounded length, whatever a file or a
 * model put into it; the fields hold what was really found.
 */
import { counted } from "./counted.ts";
import { maxMessageCharacters, visibleText } from "./visible-text.ts";

/** Base of every error that hearth throws on purpose. */
export class HearthError extends Error {
  override readonly name: string = "HearthError";
  constructor(message: string, options?: ErrorOptions) {
    super(visibleText(message, maxMessageCharacters), options);
  }
}

/** A file that is not what it claims to be. `where` is a field or tensor, `offset` a byte in the file. */
export class FileFormatError extends HearthError {
  override readonly name = "FileFormatError";
  readonly file: string;
  readonly where: string;
  readonly found: string;
  readonly expected: string;
  readonly offset: number | undefined;
  constructor(problem: {
    readonly file: string;
    readonly where: string;
    readonly found: string;
    readonly expected: string;
    readonly offset?: number;
  }) {
    const at = problem.offset === undefined ? "" : ` at byte ${problem.offset}`;
    super(
      `${visibleText(problem.file)}: ${visibleText(problem.where)}${at}: found ${visibleText(problem.found)}, expected ${problem.expected}`,
    );
    this.file = problem.file;
    this.where = problem.where;
    this.found = problem.found;
    this.expected = problem.expected;
    this.offset = problem.offset;
  }
}

/**
 * A file that cannot be opened, read or written. `code` is the system's: ENOENT (there is none), EISDIR, EACCES, EROFS,
 * ENOSPC …; EFTYPE for a named pipe, a device or a socket.
 */
export class FileAccessError extends HearthError {
  override readonly name = "FileAccessError";
  readonly file: string;
  readonly code: string;
  readonly reason: string;
  /** `reason` ends the sentence that begins with the file's name. */
  constructor(
    file: string,
    problem: { readonly code: string; readonly reason: string; readonly cause?: unknown },
  ) {
    const { code, reason, cause } = problem;
    super(`${visibleText(file)}: ${reason}`, cause === undefined ? {} : { cause });
    this.file = file;
    this.code = code;
    this.reason = reason;
  }
}

/** Something valid that hearth does not have: an architecture, a weight type, a method. */
export class UnsupportedError extends HearthError {
  override readonly name = "UnsupportedError";
  readonly what: string;
  readonly available: readonly string[];
  constructor(what: string, available: readonly string[], hint = "") {
    super(
      `${visibleText(what)} is not supported; available: ${available.join(", ")}${hint && `. ${hint}`}`,
    );
    this.what = what;
    this.available = available;
  }
}

/** Shapes that do not fit together. */
export class ShapeError extends HearthError {
  override readonly name = "ShapeError";
  constructor(op: string, expected: string, got: string) {
    super(`${visibleText(op)}: expected ${visibleText(expected)}, got ${visibleText(got)}`);
  }
}

/** An option the caller gave that cannot be used. */
export class OptionError extends HearthError {
  override readonly name = "OptionError";
  readonly option: string;
  /** `message`: another sentence than the usual one. */
  constructor(option: string, found: string, expected: string, message?: string) {
    super(
      message ??
        `${visibleText(option)}: ${visibleText(found)} is not usable; expected ${expected}`,
    );
    this.option = option;
  }
}

/** A promised form (schema, regular expression, grammar) that cannot be kept, or not be read. `where`: in the form. */
export class FormError extends HearthError {
  override readonly name = "FormError";
  readonly where: string;
  readonly problem: string;
  constructor(where: string, problem: string, remedy: string) {
    super(`${visibleText(where)}: ${visibleText(problem)}; ${remedy}`);
    this.where = where;
    this.problem = problem;
  }
}

/** A limit that was reached: context length, memory, a budget. */
export class LimitError extends HearthError {
  override readonly name: string = "LimitError";
  /** "card memory": a graphics card gave less than it was asked for. */
  readonly resource: "card memory" | undefined;
  constructor(message: string, resource?: "card memory") {
    super(message);
    this.resource = resource;
  }
}

/**
 * An answer that was not taken on because so many wait already (`maxQueue`). `waiting`: those; `expectedWait`: what the
 * next one would wait for its turn, in milliseconds, where it is known. Ask again then.
 */
export class QueueFullError extends HearthError {
  override readonly name = "QueueFullError";
  readonly waiting: number;
  readonly expectedWait: number | undefined;
  constructor(waiting: number, expectedWait: number | undefined) {
    const seconds = expectedWait === undefined ? "" : ` in ${Math.ceil(expectedWait / 1000)} s`;
    super(
      `the queue is full: ${waiting} answers wait for a sequence; ask again${seconds}, or open the engine with more sequences or a longer maxQueue`,
    );
    this.waiting = waiting;
    this.expectedWait = expectedWait;
  }
}

/** A prompt, or a text to embed, that is longer than the context. Nothing was cut, nothing computed. */
export class PromptTooLongError extends LimitError {
  override readonly name = "PromptTooLongError";
  readonly promptTokens: number;
  readonly contextLength: number;
  constructor(promptTokens: number, contextLength: number, what = "the prompt") {
    super(
      `${what} has ${counted(promptTokens, "token")}, the context ${contextLength}; raise the context or shorten ${what}`,
    );
    this.promptTokens = promptTokens;
    this.contextLength = contextLength;
  }
}

/** What the model computed is NaN or infinite: no token can be chosen, no text scored. `position`: of the token it is about. */
export class NotFiniteError extends HearthError {
  override readonly name = "NotFiniteError";
  readonly position: number;
  constructor(position: number) {
    super(
      `the model's values for the token at position ${position} are NaN or infinite: its weights are damaged, or the ` +
        "device or the sparsity method cannot compute them; try sparsity dense on device cpu, then another copy of the file",
    );
    this.position = position;
  }
}

/** A device, driver or addon that is missing or failed. */
export class DeviceError extends HearthError {
  override readonly name = "DeviceError";
}

/** What the hub of models, or the way to it, answered. `status`: of HTTP; undefined where no answer came. */
export class HubError extends HearthError {
  override readonly name = "HubError";
  readonly address: string;
  readonly status: number | undefined;
  constructor(
    message: string,
    problem: {
      readonly address: string;
      readonly status?: number | undefined;
      readonly cause?: unknown;
    },
  ) {
    super(message, problem.cause === undefined ? {} : { cause: problem.cause });
    this.address = problem.address;
    this.status = problem.status;
  }
}

/** A placement plan made from another model, machine, budget or profile than the one at hand. */
export class StalePlanError extends HearthError {
  override readonly name = "StalePlanError";
  readonly different: readonly string[];
  constructor(different: readonly string[], planned: string, current: string) {
    super(
      `the plan is stale: it was made for another ${different.join(", ")} ` +
        `(${different[0]} ${planned}, now ${current}); make a new one with hearth plan`,
    );
    this.different = different;
  }
}
