/** The calls of families of models, as syntaxes and as grammars. families.ts says whose they are. */
import { parseBraceCall } from "./brace-call.ts";
import { type CallGrammar, jsonGrammar, type TagGrammar } from "./call-grammar.ts";
import { type CallSyntax, type TextCallOptions, textCall } from "./call-syntax.ts";
import { jsonCall, namedCalls } from "./json-call.ts";
import { parsePythonCalls } from "./python-call.ts";
import { countOf, parseFunctionTags, parseInvokeTags } from "./tagged-call.ts";
import type { Tool } from "./tool.ts";

/** Keys that a call without a mark may begin with. */
const callKeys = '"(?:name|type|function|parameters|arguments|tool_calls|id)"';
const otherKey = '\\s*(?:[^"\\s]|"[^"]*")';

/** A call that is the whole answer, as JSON. */
export const bareCalls: readonly CallSyntax[] = [
  jsonCall({
    mark: "{",
    isBare: true,
    header: new RegExp(`^(?=\\{\\s*${callKeys})`),
    wrongHeader: new RegExp(`^\\{${otherKey}`),
  }),
  jsonCall({
    mark: "[",
    isBare: true,
    header: new RegExp(`^(?=\\[\\s*\\{\\s*${callKeys})`),
    wrongHeader: new RegExp(`^\\[\\s*(?:[^{\\s]|\\{${otherKey})`),
  }),
  jsonCall({
    mark: "```",
    isBare: true,
    header: new RegExp(`^\`\`\`(?:json)?\\s*(?=\\{\\s*${callKeys}|\\[\\s*\\{\\s*${callKeys})`),
    wrongHeader: new RegExp(
      `^\`\`\`(?:[^j\\s{[]|j[^s]|js[^o]|jso[^n]|(?:json)?\\s*(?:[^j\\s{[]|\\{${otherKey}|\\[\\s*[^{\\s]))`,
    ),
    closers: ["```"],
  }),
];

export const hermesCall: CallSyntax = jsonCall({ mark: "<tool_call>", closers: ["</tool_call>"] });

export const functionTags: CallSyntax = textCall({
  mark: "<function=",
  close: "</function>",
  parse: (body, tools) => parseFunctionTags(`<function=${body}`, tools),
});

/** Tags of a function between marks of their own. */
export function wrappedFunctionTags(mark: string, close: string): CallSyntax {
  return textCall({
    mark,
    first: "<function=",
    close,
    isWhole: (body) => body.trimEnd().endsWith("</function>"),
    parse: parseFunctionTags,
  });
}

export function functionTagGrammar(mark: string, close: string): TagGrammar {
  return {
    mark,
    before: "\n<function=",
    between: ">\n",
    after: "</function>\n",
    close,
    beforeKey: "<parameter=",
    afterKey: ">\n",
    afterValue: "\n</parameter>\n",
    end: "</parameter>",
    hasOwnLines: true,
  };
}

export const glmTags: TagGrammar = {
  mark: "<tool_call>",
  before: "",
  between: "\n",
  after: "",
  close: "</tool_call>",
  beforeKey: "<arg_key>",
  afterKey: "</arg_key>\n<arg_value>",
  afterValue: "</arg_value>\n",
  end: "</arg_value>",
  hasOwnLines: false,
};

/** `flags`: behind the name of an argument that is a text, and of another. */
export function invokeTagGrammar(
  prefix: string,
  block: string,
  [ofText, ofOther]: readonly [string, string] = ["", ""],
): TagGrammar {
  const end = `</${prefix}parameter>`;
  return {
    mark: `<${block}>`,
    before: `\n<${prefix}invoke name="`,
    between: '">\n',
    after: `</${prefix}invoke>\n`,
    close: `</${block}>`,
    beforeKey: `<${prefix}parameter name="`,
    afterKey: `"${ofText}>`,
    afterKeyOfJson: `"${ofOther}>`,
    afterValue: `${end}\n`,
    end,
    hasOwnLines: false,
  };
}

export function invokeTags(prefix: string, block: string): CallSyntax {
  const invoke = `<${prefix}invoke`;
  return textCall({
    mark: `<${block}>`,
    first: invoke,
    close: `</${block}>`,
    isWhole: (body) => countOf(body, invoke) === countOf(body, `</${prefix}invoke>`),
    parse: parseInvokeTags(prefix),
  });
}

export function braceCall(mark: string, close: string, quote: string): CallSyntax {
  return textCall({
    mark,
    first: "call:",
    close,
    isWhole: (body) => countOf(body, quote) % 2 === 0,
    parse: parseBraceCall(quote),
  });
}

export function braceGrammar(mark: string, close: string, quote: string): CallGrammar {
  return { ...named(`${mark}call:`, "", close), dialect: { kind: "braces", quote } };
}

/** Llama's own tools (brave_search.call(query="…")) stand behind the mark as Python, all others as JSON. */
const pythonTag = "<|python_tag|>";
export const llamaTag: CallSyntax = {
  mark: pythonTag,
  createReader(tools) {
    const json = jsonCall({ mark: pythonTag }).createReader(tools);
    const pieces: string[] = [];
    let isJson: boolean | undefined;
    return {
      read(piece, isEnd) {
        if (isJson === true) return json.read(piece, isEnd);
        pieces.push(piece);
        if (isJson === undefined) {
          const start = pieces.join("").trimStart();
          if (start === "") return { kind: isEnd ? "none" : "open" };
          isJson = start.startsWith("{") || start.startsWith("[");
          if (isJson) return json.read(start, isEnd);
        }
        if (!isEnd) return { kind: "open" };
        return { kind: "whole", calls: parseOwnTool(pieces.join("").trim(), tools), rest: "" };
      },
    };
  },
};

const codeTools = ["python", "code_interpreter", "ipython"];

function parseOwnTool(body: string, tools: readonly Tool[]): ReturnType<typeof parsePythonCalls> {
  const isDeclared = (name: string): boolean => tools.some((tool) => tool.name === name);
  const calls = parsePythonCalls(body)?.map(({ name, arguments: text }) => ({
    name: name.replace(/\.call$/, ""),
    arguments: text,
  }));
  if (calls?.every(({ name }) => isDeclared(name))) return calls;
  const python = codeTools.find(isDeclared);
  if (python === undefined) return undefined;
  return [{ name: python, arguments: `{"code": ${JSON.stringify(body)}}` }];
}

export const dsml: string = "｜DSML｜";

export const deepSeekCall: CallSyntax = jsonCall({
  mark: "<｜tool▁call▁begin｜>",
  header: /^\s*(?:function<｜tool▁sep｜>)?(?<name>[\w.-]+)(?:<｜tool▁sep｜>|\s*```json)\s*(?=\{)/,
  closers: ["```", "<｜tool▁call▁end｜>"],
});

export const deepSeekSilent: readonly string[] = ["<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"];

export function deepSeekGrammar(type: string, between: string, end: string): CallGrammar {
  return {
    open: "<｜tool▁calls▁begin｜>",
    before: `<｜tool▁call▁begin｜>${type}`,
    between,
    after: `${end}<｜tool▁call▁end｜>`,
    separator: "",
    close: "<｜tool▁calls▁end｜>",
  };
}

export const mistralCall: CallSyntax = jsonCall({
  mark: "[TOOL_CALLS]",
  header:
    /^\s*(?:(?<name>[\w.-]+)(?:\[CALL_ID\](?<id>[\w-]+))?(?:\[ARGS\])?\s*(?=\{)|(?=\[\s*\{|\{))/,
  wrongHeader: /^\s*(?:[^\s\w.{[-]|\[\s*[^\s{]|[\w.-]+\s+[^\s{])/,
});

/** The name between two marks, the arguments behind it. */
export function named(before: string, between: string, after: string): CallGrammar {
  return { open: "", before, between, after, separator: "", close: "" };
}

export const hermesGrammar: CallGrammar = jsonGrammar("name", "arguments", {
  before: '<tool_call>\n{"name": "',
  after: "}\n</tool_call>",
  separator: "\n",
});

export const llamaGrammar: CallGrammar = jsonGrammar("name", "parameters", {
  separator: undefined,
});

export function pythonCalls(mark: string, close: string): CallSyntax {
  const parse: TextCallOptions["parse"] = (body, tools) =>
    namedCalls(body, tools) ?? parsePythonCalls(body);
  return textCall({ mark, first: "[", close, parse });
}

export function pythonGrammar(open: string, close: string): CallGrammar {
  const around = { open, before: "", between: "(", after: ")", separator: ", ", close };
  return { ...around, dialect: { kind: "python" } };
}

/** Gemma 3 is taught to print what a function gives. */
export function parseToolCode(body: string): ReturnType<typeof parsePythonCalls> {
  const [, printed] = /^\s*print\((.*)\)\s*$/s.exec(body) ?? [];
  return parsePythonCalls(printed ?? body);
}
