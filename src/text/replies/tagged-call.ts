/**
 * Calls whose arguments are tags: <function=NAME><parameter=KEY>value</parameter></function> (Qwen3-Coder, Seed),
 * <invoke name="NAME"><parameter name="KEY">value</parameter></invoke> (MiniMax, DeepSeek V3.2), and
 * NAME<arg_key>KEY</arg_key><arg_value>value</arg_value> (GLM). Values are plain text; schemas say what they mean.
 */
import type { WrittenCall } from "./call-syntax.ts";
import { callOf, objectText, plainArgument } from "./json-call.ts";
import { argumentSchema, type Tool } from "./tool.ts";

type Calls = readonly WrittenCall[] | undefined;

/** A function's own tags with what stands between them; or JSON in place of parameters (Functionary 3.1). */
export function parseFunctionTags(body: string, tools: readonly Tool[]): Calls {
  const found = /^\s*<function=([\w.-]+)>(.*?)(?:<\/function>)?\s*$/s.exec(body);
  const [, name, inner] = found ?? [];
  if (name === undefined || inner === undefined) return undefined;
  if (inner.trim().startsWith("{")) return callOf(name, inner);
  return parametersOf(inner, { name, tools, tag: /<parameter=([^>\n]+)>/, close: "</parameter>" });
}

/** `prefix`: what the names of the tags begin with: "" or DeepSeek's mark. */
export function parseInvokeTags(prefix: string): (body: string, tools: readonly Tool[]) => Calls {
  const open = new RegExp(`<${prefix}invoke name="([\\w.-]+)">`);
  const close = `</${prefix}invoke>`;
  const tag = new RegExp(`<${prefix}parameter name="([^"\\n]+)"(?: string="(true|false)")?>`);
  return (body, tools) => {
    const calls: WrittenCall[] = [];
    let rest = body;
    while (rest.trim() !== "") {
      const found = open.exec(rest);
      if (found?.[1] === undefined || rest.slice(0, found.index).trim() !== "") return undefined;
      const inner = rest.slice(found[0].length + found.index);
      const end = inner.indexOf(close);
      if (end < 0) return undefined;
      const parameters = { name: found[1], tools, tag, close: `</${prefix}parameter>` };
      const read = parametersOf(inner.slice(0, end), parameters);
      if (read === undefined) return undefined;
      calls.push(...read);
      rest = inner.slice(end + close.length);
    }
    return calls.length === 0 ? undefined : calls;
  };
}

interface Parameters {
  readonly name: string;
  readonly tools: readonly Tool[];
  /** Its first group is the key; its second says whether the value is text, where the form says that. */
  readonly tag: RegExp;
  readonly close: string;
}

function parametersOf(body: string, { name, tools, tag, close }: Parameters): Calls {
  const members: [string, string][] = [];
  let rest = body;
  while (rest.trim() !== "") {
    const found = tag.exec(rest);
    const key = found?.[1]?.trim();
    if (found === null || !key || rest.slice(0, found.index).trim() !== "") return undefined;
    const inner = rest.slice(found.index + found[0].length);
    const end = inner.indexOf(close);
    if (end < 0) return undefined;
    const schema = found[2] === "true" ? { type: "string" } : argumentSchema(tools, name, key);
    members.push([key, plainArgument(withoutOwnLines(inner.slice(0, end)), schema)]);
    rest = inner.slice(end + close.length);
  }
  return [{ name, arguments: objectText(members) }];
}

/** A value between tags that stand on lines of their own. */
function withoutOwnLines(value: string): string {
  return value.replace(/^\r?\n/, "").replace(/\r?\n$/, "");
}

/** GLM's: a name, then pairs of tags. */
export function parseArgumentPairs(body: string, tools: readonly Tool[]): Calls {
  const [, name, inner] = /^\s*([\w.-]+)\s*(.*)$/s.exec(body) ?? [];
  if (name === undefined || inner === undefined) return undefined;
  const members: [string, string][] = [];
  const pair = /\s*<arg_key>(.*?)<\/arg_key>\s*<arg_value>(.*?)<\/arg_value>\s*/sy;
  let end = 0;
  for (let found = pair.exec(inner); found !== null; found = pair.exec(inner)) {
    const [, key = "", value = ""] = found;
    const schema = argumentSchema(tools, name, key.trim());
    members.push([key.trim(), plainArgument(withoutOwnLines(value), schema)]);
    end = pair.lastIndex;
  }
  if (inner.slice(end).trim() !== "") return undefined;
  return [{ name, arguments: objectText(members) }];
}

export function hasClosedPairs(body: string): boolean {
  return countOf(body, "<arg_value>") === countOf(body, "</arg_value>");
}

export function countOf(text: string, part: string): number {
  return text.split(part).length - 1;
}
