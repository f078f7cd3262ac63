/**
 * How families of models mark thoughts and calls. A family is known by what stands in the chat template, never by the
 * model's name: the template is what the model was trained with. Sources: the models' own templates.
 */
import { type CallGrammar, jsonGrammar, listGrammar, type TagGrammar } from "./call-grammar.ts";
import { type CallSyntax, textCall } from "./call-syntax.ts";
import {
  bareCalls,
  braceCall,
  braceGrammar,
  deepSeekCall,
  deepSeekGrammar,
  deepSeekSilent,
  dsml,
  functionTagGrammar,
  functionTags,
  glmTags,
  hermesCall,
  hermesGrammar,
  invokeTagGrammar,
  invokeTags,
  llamaGrammar,
  llamaTag,
  mistralCall,
  named,
  parseToolCode,
  pythonCalls,
  pythonGrammar,
  wrappedFunctionTags,
} from "./family-calls.ts";
import { jsonCall } from "./json-call.ts";
import type { ReasoningMarks } from "./marked-parser.ts";
import { hasClosedPairs, parseArgumentPairs } from "./tagged-call.ts";
import type { Tool } from "./tool.ts";

export type FamilyName =
  | "hermes"
  | "qwen3-coder"
  | "seed"
  | "glm"
  | "llama3"
  | "mistral"
  | "mistral-list"
  | "functionary-3.1"
  | "functionary-3.2"
  | "gemma4"
  | "functiongemma"
  | "gemma3"
  | "deepseek"
  | "deepseek-3.1"
  | "deepseek-3.2"
  | "minimax"
  | "kimi"
  | "granite"
  | "phi4"
  | "nemotron"
  | "apriel"
  | "apertus"
  | "lfm2"
  | "command-r7b"
  | "command-r"
  | "gigachat";

export interface Family {
  readonly name: FamilyName;
  /** The first family of the list counts whose words all stand in the template. */
  readonly known: readonly string[];
  readonly calls: (tools: readonly Tool[]) => readonly CallSyntax[];
  readonly silent?: readonly string[];
  readonly grammar?: CallGrammar;
  /** How the model itself writes its calls, where that is not `grammar`, which it reads. */
  readonly own?: CallGrammar;
  /** Where arguments are tags. */
  readonly tags?: TagGrammar;
  /** What the prompt ends with, and what belongs to the answer's first mark. */
  readonly begun?: string;
}

export const families: readonly Family[] = [
  {
    name: "functionary-3.2",
    known: [">>>all\\n"],
    begun: ">>>",
    silent: [">>>all\n"],
    grammar: named(">>>", "\n", ""),
    calls: (tools) =>
      tools.map(({ name }) => jsonCall({ mark: `>>>${name}\n`, name, header: /^\s*(?=\{)/ })),
  },
  {
    name: "glm",
    known: ["<arg_key>", "<tool_call>"],
    tags: glmTags,
    calls: () => [
      textCall({
        mark: "<tool_call>",
        close: "</tool_call>",
        isWhole: hasClosedPairs,
        parse: parseArgumentPairs,
      }),
    ],
  },
  {
    name: "seed",
    known: ["<seed:tool_call>"],
    tags: functionTagGrammar("<seed:tool_call>", "</seed:tool_call>"),
    calls: () => [wrappedFunctionTags("<seed:tool_call>", "</seed:tool_call>")],
  },
  {
    name: "qwen3-coder",
    known: ["<function=", "<parameter="],
    tags: functionTagGrammar("<tool_call>", "</tool_call>"),
    calls: () => [wrappedFunctionTags("<tool_call>", "</tool_call>"), functionTags],
  },
  {
    name: "functionary-3.1",
    known: ["<function", "python_tag", "start_tag"],
    grammar: named("<function=", ">", "</function>"),
    calls: () => [functionTags, llamaTag],
  },
  {
    name: "deepseek-3.2",
    known: ["DSML"],
    tags: invokeTagGrammar(dsml, `${dsml}function_calls`, [' string="true"', ' string="false"']),
    calls: () => [invokeTags(dsml, `${dsml}function_calls`)],
  },
  {
    name: "minimax",
    known: ["minimax:tool_call"],
    tags: invokeTagGrammar("", "minimax:tool_call"),
    calls: () => [invokeTags("", "minimax:tool_call")],
  },
  {
    name: "deepseek",
    known: ["<｜tool▁call▁begin｜>", "```json"],
    grammar: deepSeekGrammar("function<｜tool▁sep｜>", "\n```json\n", "\n```"),
    silent: deepSeekSilent,
    calls: () => [deepSeekCall],
  },
  {
    name: "deepseek-3.1",
    known: ["<｜tool▁call▁begin｜>"],
    grammar: deepSeekGrammar("", "<｜tool▁sep｜>", ""),
    silent: deepSeekSilent,
    calls: () => [deepSeekCall],
  },
  {
    name: "kimi",
    known: ["<|tool_call_begin|>"],
    silent: ["<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"],
    grammar: {
      open: "<|tool_calls_section_begin|>",
      before: "<|tool_call_begin|>functions.",
      between: ":0<|tool_call_argument_begin|>",
      after: "<|tool_call_end|>",
      separator: undefined,
      close: "<|tool_calls_section_end|>",
    },
    calls: () => [
      jsonCall({
        mark: "<|tool_call_begin|>",
        header:
          /^\s*(?<id>(?:functions\.)?(?<name>[\w.-]+):\d+)\s*<\|tool_call_argument_begin\|>\s*(?=\{)/,
        closers: ["<|tool_call_end|>"],
      }),
    ],
  },
  {
    name: "mistral",
    known: ["[TOOL_CALLS]", "[ARGS]"],
    grammar: named("[TOOL_CALLS]", "[ARGS]", ""),
    calls: () => [mistralCall],
  },
  {
    name: "mistral-list",
    known: ["[TOOL_CALLS]"],
    grammar: listGrammar("[TOOL_CALLS] ", ""),
    calls: () => [mistralCall],
  },
  {
    name: "gemma4",
    known: ["<|tool_call>"],
    own: braceGrammar("<|tool_call>", "<tool_call|>", '<|"|>'),
    calls: () => [braceCall("<|tool_call>", "<tool_call|>", '<|"|>')],
  },
  {
    name: "functiongemma",
    known: ["<start_function_call>"],
    own: braceGrammar("<start_function_call>", "<end_function_call>", "<escape>"),
    calls: () => [braceCall("<start_function_call>", "<end_function_call>", "<escape>")],
  },
  {
    name: "lfm2",
    known: ["<|tool_list_start|>"],
    grammar: listGrammar("<|tool_call_start|>", "<|tool_call_end|>"),
    own: pythonGrammar("<|tool_call_start|>[", "]<|tool_call_end|>"),
    calls: () => [pythonCalls("<|tool_call_start|>", "<|tool_call_end|>")],
  },
  {
    name: "lfm2",
    known: ["<|tool_call_start|>"],
    grammar: listGrammar("<|tool_call_start|>", "<|tool_call_end|>"),
    own: pythonGrammar("<|tool_call_start|>[", "]<|tool_call_end|>"),
    calls: () => [pythonCalls("<|tool_call_start|>", "<|tool_call_end|>")],
  },
  {
    name: "command-r7b",
    known: ["<|START_ACTION|>"],
    silent: ["<|START_RESPONSE|>", "<|END_RESPONSE|>"],
    grammar: jsonGrammar("tool_name", "parameters", {
      open: "<|START_ACTION|>[",
      before: '{"tool_call_id": "0", "tool_name": "',
      separator: ",",
      close: "]<|END_ACTION|>",
      isSpaced: true,
    }),
    calls: () => [jsonCall({ mark: "<|START_ACTION|>", closers: ["<|END_ACTION|>"] })],
  },
  {
    name: "phi4",
    known: ["<|tool_call|>", "<|/tool_call|>"],
    grammar: listGrammar("<|tool_call|>", "<|/tool_call|>"),
    calls: () => [jsonCall({ mark: "<|tool_call|>", closers: ["<|/tool_call|>"] })],
  },
  {
    name: "granite",
    known: ["<|tool_call|>"],
    silent: ["<response>", "</response>"],
    grammar: listGrammar("<|tool_call|>", ""),
    calls: () => [jsonCall({ mark: "<|tool_call|>" }), hermesCall],
  },
  {
    name: "nemotron",
    known: ["<TOOLCALL>"],
    grammar: listGrammar("<TOOLCALL>", "</TOOLCALL>"),
    calls: () => [jsonCall({ mark: "<TOOLCALL>", closers: ["</TOOLCALL>"] })],
  },
  {
    name: "apriel",
    known: ["<tool_calls>"],
    grammar: listGrammar("<tool_calls>", "</tool_calls>"),
    calls: () => [jsonCall({ mark: "<tool_calls>", closers: ["</tool_calls>"] })],
  },
  {
    name: "apertus",
    known: ["<|tools_prefix|>"],
    grammar: {
      open: "<|tools_prefix|>[",
      before: '{"',
      between: '": ',
      after: "}",
      separator: ", ",
      close: "]<|tools_suffix|>",
    },
    calls: () => [jsonCall({ mark: "<|tools_prefix|>", closers: ["<|tools_suffix|>"] })],
  },
  {
    name: "hermes",
    known: ["<tool_call>"],
    grammar: hermesGrammar,
    calls: () => [hermesCall],
  },
  {
    name: "command-r",
    known: ["Action:", '"tool_name"'],
    grammar: jsonGrammar("tool_name", "parameters", {
      open: "Action:\n```json\n[",
      close: "]\n```",
    }),
    calls: () => [
      jsonCall({
        mark: "Action:",
        header: /^\s*(?:```json)?\s*(?=\[\s*\{|\{)/,
        closers: ["```"],
      }),
    ],
  },
  {
    name: "gigachat",
    known: ["<|function_call|>"],
    grammar: jsonGrammar("name", "arguments", { open: "<|function_call|>", separator: undefined }),
    calls: () => [jsonCall({ mark: "<|function_call|>" })],
  },
  {
    name: "gigachat",
    known: ["'function call'", "<|role_sep|>"],
    silent: ["<|message_sep|>"],
    own: jsonGrammar("name", "arguments", {
      open: "function call<|role_sep|>\n",
      separator: undefined,
    }),
    calls: () => [jsonCall({ mark: "function call<|role_sep|>" })],
  },
  {
    name: "llama3",
    known: ["python_tag"],
    grammar: llamaGrammar,
    calls: () => [llamaTag, ...bareCalls],
  },
  {
    name: "llama3",
    known: ['"parameters": dictionary'],
    grammar: llamaGrammar,
    calls: () => [llamaTag, ...bareCalls],
  },
  {
    name: "gemma3",
    known: ["tool_code"],
    own: { ...pythonGrammar("```tool_code\n", "\n```"), isPrinted: true },
    calls: () => [
      textCall({
        mark: "```tool_code",
        close: "```",
        isWhole: (body) => body.trim() !== "",
        parse: parseToolCode,
      }),
      ...bareCalls,
    ],
  },
];

/** Marks around thoughts; each pair counts whose words stand in the template. */
export const reasoningMarks: readonly ReasoningMarks[] = [
  { open: "<think>", close: "</think>" },
  { open: "[THINK]", close: "[/THINK]" },
  { open: "<seed:think>", close: "</seed:think>" },
  { open: "<thinking>", close: "</thinking>" },
  { open: "<|START_THINKING|>", close: "<|END_THINKING|>" },
  { open: "<|channel>thought\n", close: "<channel|>" },
  { open: "<|inner_prefix|>", close: "<|inner_suffix|>" },
];
