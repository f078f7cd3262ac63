/**
 * The conversation as the model wants to see it: its own Jinja template (`tokenizer.chat_template`), or a plain form
 * that is announced. The template comes with the model and is not trusted: its length, its running time and the
 * text it makes are bounded, and it sees nothing but the messages.
 */

import { createContext, Script } from "node:vm";
import { Environment, Interpreter, parse, tokenize } from "@huggingface/jinja";
import { checkValue, describeValue, isRecord, textRule } from "../core/check-options.ts";
import { HearthError, LimitError, OptionError } from "../core/errors.ts";
import { findChatTemplate, type TemplateMetadata } from "./find-chat-template.ts";
import type { Tokenizer } from "./tokenizer.ts";

export interface ChatMessage {
  readonly role: string;
  readonly content: string;
}

interface ChatOptions {
  /** End with the opening of the assistant's turn. Default true. */
  readonly addGenerationPrompt?: boolean;
}

export interface ChatTemplate {
  /** To be shown to the user: the model has no template that can be used, or several, and what stands in. */
  readonly announcement: string | undefined;
  /** Texts that end an answer, for a form that has no tokens for it. */
  readonly stopTexts: readonly string[];
  /** @throws HearthError with the template's own message where it refuses the messages. */
  render(messages: readonly ChatMessage[], options?: ChatOptions): string;
  /** Renders and encodes, special tokens parsed, BOS once if the model wants it. */
  encode(messages: readonly ChatMessage[], options?: ChatOptions): number[];
}

export function createChatTemplate(metadata: TemplateMetadata, tokenizer: Tokenizer): ChatTemplate {
  const { source, notice } = findChatTemplate(metadata);
  if (source === undefined) return plainChat(tokenizer, "the model has no chat template");
  if (source.length > maxTemplateLength) {
    const length = `${source.length} characters, more than ${maxTemplateLength}`;
    return plainChat(tokenizer, `the model's chat template has ${length}`);
  }
  const parsed = tryParse(source);
  if (parsed.kind === "failed") {
    return plainChat(tokenizer, `the model's chat template cannot be read (${parsed.reason})`);
  }
  const { program } = parsed;
  return withEncode(tokenizer, {
    announcement: notice,
    stopTexts: [],
    render: (messages, options = {}) => renderBounded(program, { tokenizer, messages, options }),
  });
}

/** The longest template known (Llama 4, with tools) has 30 thousand characters. */
const maxTemplateLength = 256 * 1024;
/** A template that only arranges messages takes milliseconds, a long one with a thousand messages some hundred. */
const maxMilliseconds = 2000;
/** A template repeats what the messages say, and adds some; its range() counts messages. */
const maxTextLength = 1 << 26;
const maxRange = 100_000;

type Program = ReturnType<typeof parse>;

function tryParse(
  source: string,
): { kind: "parsed"; program: Program } | { kind: "failed"; reason: string } {
  try {
    const program = withinTime(() =>
      parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true })),
    );
    return { kind: "parsed", program };
  } catch (error) {
    return { kind: "failed", reason: messageOf(error) };
  }
}

interface Conversation {
  readonly tokenizer: Tokenizer;
  readonly messages: readonly ChatMessage[];
  readonly options: ChatOptions;
}

function renderBounded(program: Program, conversation: Conversation): string {
  let text: string;
  try {
    text = withinTime(() => {
      const result = new Interpreter(makeEnvironment(conversation)).run(program);
      return String(result.value);
    });
  } catch (error) {
    throw new HearthError(`the model's chat template refuses these messages: ${messageOf(error)}`);
  }
  if (text.length <= maxTextLength) return text;
  throw new LimitError(
    `the model's chat template made ${text.length} characters, more than ${maxTextLength}`,
  );
}

/** What transformers defines for chat templates (its chat_template_utils.py). */
function makeEnvironment({ tokenizer, messages, options }: Conversation): Environment {
  const { special } = tokenizer;
  const textOf = (id: number | undefined): string =>
    id === undefined ? "" : (tokenizer.tokenText(id) ?? "");
  const environment = new Environment();
  const variables = {
    true: true,
    True: true,
    false: false,
    False: false,
    none: null,
    None: null,
    range,
    raise_exception: raiseException,
    strftime_now: (format: string): string => formatTime(new Date(), format),
    messages: messages.map(({ role, content }) => ({ role, content })),
    add_generation_prompt: options.addGenerationPrompt ?? true,
    bos_token: textOf(special.bos),
    eos_token: textOf(special.eos),
    unk_token: textOf(special.unknown),
    pad_token: textOf(special.padding),
  };
  for (const [name, value] of Object.entries(variables)) environment.set(name, value);
  return environment;
}

/** Runs synchronous code that V8 stops when its time is over, however deep in a loop it is. */
function withinTime<Result>(run: () => Result): Result {
  const outcome: { result?: Result } = {};
  const context = createContext({
    run: () => {
      outcome.result = run();
    },
  });
  new Script("run()").runInContext(context, { timeout: maxMilliseconds });
  if (!("result" in outcome) || outcome.result === undefined) {
    throw new HearthError("it made nothing");
  }
  return outcome.result;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function raiseException(message: unknown): never {
  throw new HearthError(String(message));
}

/** Python's range, bounded: the original makes the whole list. */
function range(first: number, last?: number, step = 1): number[] {
  const [start, stop] = last === undefined ? [0, first] : [first, last];
  const count = step === 0 ? Number.NaN : Math.max(0, Math.ceil((stop - start) / step));
  if (!(count <= maxRange)) throw new HearthError(`range() of ${count} numbers is too long`);
  return Array.from({ length: count }, (_, index) => start + index * step);
}

/** The directives of Python's strftime that templates use, in English whatever the locale. */
function formatTime(time: Date, format: string): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  const name = (options: Intl.DateTimeFormatOptions): string =>
    time.toLocaleDateString("en-US", options);
  const fields: Readonly<Record<string, string>> = {
    Y: String(time.getFullYear()),
    y: two(time.getFullYear() % 100),
    m: two(time.getMonth() + 1),
    d: two(time.getDate()),
    H: two(time.getHours()),
    M: two(time.getMinutes()),
    S: two(time.getSeconds()),
    B: name({ month: "long" }),
    b: name({ month: "short" }),
    A: name({ weekday: "long" }),
    a: name({ weekday: "short" }),
    "%": "%",
  };
  return format.replace(/%(.)/g, (directive, field) => fields[field] ?? directive);
}

/** A form that any language model can continue, without special tokens. */
function plainChat(tokenizer: Tokenizer, reason: string): ChatTemplate {
  return withEncode(tokenizer, {
    announcement: `${reason}: using the plain form "User: … Assistant: …"; answers may suffer`,
    stopTexts: ["\nUser:"],
    render: (messages, { addGenerationPrompt = true } = {}) => {
      const turns = messages.map(({ role, content }) => `${plainName(role)}${content.trim()}\n`);
      return turns.join("") + (addGenerationPrompt ? "Assistant:" : "");
    },
  });
}

/** @throws OptionError for a conversation that no template could have made sense of. */
function checkMessages(messages: unknown): void {
  if (!Array.isArray(messages) || messages.length === 0) {
    throw new OptionError("messages", describeValue(messages), "a list of at least one message");
  }
  for (const [index, message] of messages.entries()) {
    const option = `messages[${index}]`;
    if (!isRecord(message))
      throw new OptionError(option, describeValue(message), "{ role, content }");
    checkValue(message["role"], `${option}.role`, textRule);
    if (typeof message["content"] === "string") continue;
    throw new OptionError(`${option}.content`, describeValue(message["content"]), "a text");
  }
}

function plainName(role: string): string {
  if (role === "system") return "";
  return `${role.charAt(0).toUpperCase()}${role.slice(1)}: `;
}

function withEncode(tokenizer: Tokenizer, template: Omit<ChatTemplate, "encode">): ChatTemplate {
  return {
    ...template,
    encode(messages, options) {
      checkMessages(messages);
      const text = template.render(messages, options);
      const ids = tokenizer.encode(text, { parseSpecial: true, addBos: "never", addEos: "never" });
      const { bos, addsBos } = tokenizer.special;
      return addsBos && bos !== undefined && ids[0] !== bos ? [bos, ...ids] : ids;
    },
  };
}
