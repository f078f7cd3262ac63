/**
 * The conversation as the model wants to see it: its own Jinja template (`tokenizer.chat_template`), or a plain form
 * that is announced. The template comes with the model and is not trusted: jinja/limits.ts bounds what it uses, and it
 * sees nothing but the messages.
 */

import { checkOptions, flagRule, isPlainObject, type OptionRules } from "../core/check-options.ts";
import { LimitError } from "../core/errors.ts";
import { type ChatMessage, checkMessages } from "./chat-message.ts";
import { findChatTemplate, type TemplateMetadata } from "./find-chat-template.ts";
import { TemplateError } from "./jinja/errors.ts";
import { type Input, isInput } from "./jinja/input.ts";
import { compileTemplate, type Template } from "./jinja/template.ts";
import { renderBegun } from "./render-begun.ts";
import { findReplyForm, type ReplyForm } from "./replies/reply-form.ts";
import { checkTools, type Tool } from "./replies/tool.ts";
import { findAbilities, type TemplateAbilities } from "./template-abilities.ts";
import { type TemplateConversation, templateConversation } from "./template-messages.ts";
import type { EncodeOptions, Tokenizer } from "./tokenizer.ts";

/** What a template is given beside the messages. */
export interface ChatTemplateOptions {
  /** End with the opening of the assistant's turn. Default true. */
  readonly addGenerationPrompt?: boolean;
  /** The answer goes on where the last message, an assistant's, ends, with its text as it stands. Default false: it is a turn of its own. */
  readonly continueLast?: boolean;
  /**
   * Variables of the model's own template, as `enable_thinking` or `reasoning_effort`: what JSON can say. A template that
   * does not know one ignores it, and so does the plain form.
   */
  readonly variables?: Readonly<Record<string, unknown>>;
  /** Functions that the model may call: told by its template, or in words where that knows no tools. Default: none. */
  readonly tools?: readonly Tool[];
}

const templateRules: OptionRules<ChatTemplateOptions> = {
  addGenerationPrompt: flagRule,
  continueLast: flagRule,
  variables: { expected: "an object of variables that JSON can say", accepts: isVariables },
  tools: { expected: "a list of tools", accepts: Array.isArray },
};

/** @throws OptionError naming the option */
export function checkTemplateOptions(options: ChatTemplateOptions): void {
  checkOptions(options, templateRules, "template");
  if (options.tools !== undefined) checkTools(options.tools);
}

/** The ids of a prompt, or the promise of them where its text is long. */
export type PromptIds = readonly number[] | Promise<readonly number[]>;

/** Characters of a text that are encoded at once: some 10 ms. */
const maxCharactersAtOnce = 32 * 1024;

/** The ids of a text; with pauses for other work if it is long. */
export function encodePrompt(
  tokenizer: Tokenizer,
  text: string | Uint8Array,
  options: EncodeOptions,
): PromptIds {
  if (text.length <= maxCharactersAtOnce) return tokenizer.encode(text, options);
  return tokenizer.encodeWithPauses(text, options);
}

export interface ChatTemplate {
  /** To be shown to the user: the model has no template that can be used, or several, and what stands in. */
  readonly announcement: string | undefined;
  /** The model's own template; undefined where the plain form stands in. */
  readonly source: string | undefined;
  /** Texts that end an answer, for a form that has no tokens for it. */
  readonly stopTexts: readonly string[];
  /** How the model writes its answers: where thoughts and calls of tools stand in them. */
  readonly form: ReplyForm;
  /** Whether the template says anything of tools that it is given; where not, the model is told of them in words. */
  knowsTools(): boolean;
  /**
   * @throws OptionError for what is no conversation, TemplateError with the template's own message where it refuses the
   * messages, LimitError at a limit.
   */
  render(messages: readonly ChatMessage[], options?: ChatTemplateOptions): string;
  /** Encodes what `render` gave, special tokens parsed, BOS once if the model wants it. A long text is encoded with pauses. */
  encode(text: string): PromptIds;
}

export function createChatTemplate(metadata: TemplateMetadata, tokenizer: Tokenizer): ChatTemplate {
  const { source, notice } = findChatTemplate(metadata);
  if (source === undefined) return plainChat(tokenizer, "the model has no chat template");
  const compiled = tryCompile(source);
  if (compiled.kind === "failed") {
    return plainChat(tokenizer, `the model's chat template cannot be read (${compiled.reason})`);
  }
  return withEncode(tokenizer, ownChat(compiled.template, { tokenizer, source, notice }));
}

/** The model's own template. What it makes of tools is found out when it is given some. */
function ownChat(
  template: Template,
  from: {
    readonly tokenizer: Tokenizer;
    readonly source: string;
    readonly notice: string | undefined;
  },
): Omit<ChatTemplate, "encode"> {
  const { tokenizer, source, notice } = from;
  let abilities: TemplateAbilities | undefined;
  const findOut = (): TemplateAbilities => {
    abilities ??= findAbilities((messages, tools) =>
      template.render({ ...variablesOf(tokenizer, {}), messages, tools }),
    );
    return abilities;
  };
  const form = findReplyForm(source, () => findOut().knowsTools);
  return {
    announcement: notice,
    source,
    stopTexts: [],
    form,
    knowsTools: () => findOut().knowsTools,
    render: (messages, options = {}) => {
      const { tools = [] } = options;
      const conversation = templateConversation(messages, tools, () => ({
        ...findOut(),
        grammar: form.grammar,
      }));
      return render(template, { ...variablesOf(tokenizer, options), ...conversation });
    },
  };
}

type Compiled =
  | { readonly kind: "compiled"; readonly template: Template }
  | { readonly kind: "failed"; readonly reason: string };

function tryCompile(source: string): Compiled {
  try {
    return { kind: "compiled", template: compileTemplate(source) };
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    return { kind: "failed", reason: error.detail };
  }
}

function render(template: Template, variables: Record<string, Input | undefined>): string {
  try {
    return template.render(variables);
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    if (error.kind === "limit")
      throw new LimitError(`the model's chat template is stopped: ${error.detail}`);
    const problem = `the model's chat template refuses these messages: ${error.detail}`;
    throw new TemplateError(error.kind, error.detail, problem);
  }
}

/**
 * What transformers gives to a chat template (apply_chat_template) beside the conversation: a special token that a model
 * lacks is undefined.
 */
function variablesOf(
  { special, tokenText }: Tokenizer,
  options: ChatTemplateOptions,
): Record<string, Input | undefined> {
  const textOf = (id: number | undefined): string | undefined =>
    id === undefined ? undefined : tokenText(id);
  return {
    ...readVariables(options.variables ?? {}),
    documents: null,
    add_generation_prompt: options.addGenerationPrompt ?? true,
    bos_token: textOf(special.bos),
    eos_token: textOf(special.eos),
    unk_token: textOf(special.unknown),
    pad_token: textOf(special.padding),
  };
}

/** Of a conversation itself: no variable takes their place. */
const ownVariables: readonly string[] = [
  "messages",
  "tools",
  "documents",
  "add_generation_prompt",
  "bos_token",
  "eos_token",
  "unk_token",
  "pad_token",
];

function isVariables(value: unknown): boolean {
  if (!isPlainObject(value)) return false;
  return Object.entries(value).every(
    ([name, variable]) => !ownVariables.includes(name) && isInput(variable),
  );
}

/** Those that have a value; checkTemplateOptions has judged them. */
function readVariables(variables: Readonly<Record<string, unknown>>): Record<string, Input> {
  const isRead = (entry: [string, unknown]): entry is [string, Input] => isInput(entry[1]);
  return Object.fromEntries(Object.entries(variables).filter(isRead));
}

/** A form that any language model can continue, without special tokens. */
function plainChat(tokenizer: Tokenizer, reason: string): ChatTemplate {
  return withEncode(tokenizer, {
    announcement: `${reason}: using the plain form "User: … Assistant: …"; answers may suffer`,
    source: undefined,
    stopTexts: ["\nUser:"],
    form: findReplyForm("", () => false),
    knowsTools: () => false,
    render: (messages, { addGenerationPrompt = true, tools = [] } = {}) => {
      const { messages: plain } = templateConversation(messages, tools, () => noAbilities);
      return plain.map(plainTurn).join("") + (addGenerationPrompt ? "Assistant:" : "");
    },
  });
}

const noAbilities: TemplateAbilities = {
  knowsTools: false,
  calls: undefined,
  showsSeveral: false,
  showsResults: false,
  takesSystem: true,
};

function plainTurn({ role, content }: TemplateConversation["messages"][number]): string {
  return `${plainName(String(role))}${String(content ?? "").trim()}\n`;
}

function plainName(role: string): string {
  if (role === "system") return "";
  return `${role.charAt(0).toUpperCase()}${role.slice(1)}: `;
}

function withEncode(tokenizer: Tokenizer, template: Omit<ChatTemplate, "encode">): ChatTemplate {
  const render: ChatTemplate["render"] = (messages, options = {}) => {
    checkMessages(messages);
    if (options.continueLast) return renderBegun(messages, template.render, options);
    return template.render(messages, options);
  };
  return {
    ...template,
    render,
    encode(text) {
      const form = { parseSpecial: true, addBos: "never", addEos: "never" } as const;
      const { bos, addsBos } = tokenizer.special;
      const withBos = (ids: readonly number[]): readonly number[] =>
        addsBos && bos !== undefined && ids[0] !== bos ? [bos].concat(ids) : ids;
      const ids = encodePrompt(tokenizer, text, form);
      return ids instanceof Promise ? ids.then(withBos) : withBos(ids);
    },
  };
}
