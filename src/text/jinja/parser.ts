/** Statements: the first half of jinja2/parser.py, with loop controls and the tag `generation` of transformers. */
import type {
  BlockStatement,
  Expression,
  FilterExpression,
  ForStatement,
  IfStatement,
  Parameter,
  Statement,
  Target,
} from "./ast.ts";
import { fail } from "./errors.ts";
import { tokenize } from "./lexer.ts";
import {
  parseExpression,
  parseFilter,
  parseItems,
  parsePrimary,
  parseTuple,
} from "./parse-expression.ts";
import { TokenStream } from "./token-stream.ts";
import { isSpace } from "./white-space.ts";

/** @throws TemplateError of kind "syntax" or "limit" */
export function parse(source: string): readonly Statement[] {
  return parseBody(new TokenStream(tokenize(source)), []);
}

/** Up to a tag of `ends`, which is not consumed but its "{%". */
function parseBody(stream: TokenStream, ends: readonly string[]): readonly Statement[] {
  return stream.nested(() => {
    const body: Statement[] = [];
    for (;;) {
      const token = stream.next();
      switch (token.type) {
        case "eof":
          if (ends.length === 0) return body;
          return stream.failExpecting(ends.map((end) => `{% ${end} %}`).join(" or "));
        case "data":
          body.push({ kind: "text", text: token.text });
          break;
        case "variable_begin":
          body.push({ kind: "output", expressions: [parseTuple(stream)] });
          stream.expect("variable_end");
          break;
        default:
          if (stream.isName(...ends)) return body;
          body.push(parseStatement(stream));
          stream.expect("block_end");
      }
    }
  });
}

/** After the head of a block: its body, and the name of the tag that ended it. */
function parseBlockBody(stream: TokenStream, ...ends: readonly string[]): readonly Statement[] {
  stream.skipOperator(":");
  stream.expect("block_end");
  return parseBody(stream, ends);
}

function parseWholeBody(stream: TokenStream, end: string): readonly Statement[] {
  const body = parseBlockBody(stream, end);
  stream.next();
  return body;
}

function parseStatement(stream: TokenStream): Statement {
  const tag = stream.expect("name").text;
  switch (tag) {
    case "if":
      return parseIf(stream);
    case "for":
      return parseFor(stream);
    case "set":
      return parseSet(stream);
    case "with":
      return parseWith(stream);
    case "macro": {
      const name = parseName(stream);
      const parameters = parseParameters(stream);
      return { kind: "macro", name, parameters, body: parseWholeBody(stream, "endmacro") };
    }
    case "call":
      return parseCallBlock(stream);
    case "filter": {
      const filter = parseMoreFilters(stream, parseFilter(stream, undefined));
      return { kind: "filter-block", filter, body: parseWholeBody(stream, "endfilter") };
    }
    case "print":
      return parsePrint(stream);
    case "block":
      return parseBlock(stream);
    case "break":
    case "continue":
      return { kind: tag };
    case "generation":
      return { kind: tag, parameters: [], body: parseWholeBody(stream, "endgeneration") };
    case "include":
    case "extends":
    case "import":
    case "from":
      return parseLoad(stream, tag);
    case "autoescape":
      return fail("unsupported", "{% autoescape %} is not supported: a prompt is not HTML");
    default:
      return stream.fail(`unknown tag "${tag}"`);
  }
}

function parseIf(stream: TokenStream): IfStatement {
  const branches: { test: Expression; body: readonly Statement[] }[] = [];
  for (;;) {
    const test = parseTuple(stream, { hasConditions: false });
    branches.push({ test, body: parseBlockBody(stream, "elif", "else", "endif") });
    const { text } = stream.next();
    if (text === "elif") continue;
    const otherwise = text === "else" ? parseWholeBody(stream, "endif") : [];
    return { kind: "if", branches, otherwise };
  }
}

function parseFor(stream: TokenStream): ForStatement {
  const target = parseTarget(stream, { end: "in", hasNamespaces: false });
  stream.expectName("in");
  const iterable = parseTuple(stream, { hasConditions: false, end: "recursive" });
  const test = stream.skipName("if") ? parseExpression(stream) : undefined;
  const isRecursive = stream.skipName("recursive");
  const body = parseBlockBody(stream, "endfor", "else");
  const hasElse = stream.next().text === "else";
  const otherwise = hasElse ? parseWholeBody(stream, "endfor") : [];
  return { kind: "for", target, iterable, test, isRecursive, body, otherwise };
}

function parseSet(stream: TokenStream): Statement {
  const target = parseTarget(stream, { end: undefined, hasNamespaces: true });
  if (stream.skipOperator("=")) return { kind: "set", target, value: parseTuple(stream) };
  const filter = parseMoreFilters(stream, undefined);
  return { kind: "set-block", target, filter, body: parseWholeBody(stream, "endset") };
}

function parseMoreFilters<First extends FilterExpression | undefined>(
  stream: TokenStream,
  first: First,
): First | FilterExpression {
  let filter: First | FilterExpression = first;
  while (stream.skipOperator("|")) filter = parseFilter(stream, filter);
  return filter;
}

function parseWith(stream: TokenStream): Statement {
  const pairs: [Target, Expression][] = [];
  while (stream.current.type !== "block_end") {
    if (pairs.length > 0) stream.expectOperator(",");
    const target = parseTarget(stream, { end: undefined, hasNamespaces: false });
    stream.expectOperator("=");
    pairs.push([target, parseExpression(stream)]);
  }
  return { kind: "with", pairs, body: parseWholeBody(stream, "endwith") };
}

function parseCallBlock(stream: TokenStream): Statement {
  const parameters = stream.isOperator("(") ? parseParameters(stream) : [];
  const call = parseExpression(stream);
  if (call.kind !== "call") stream.fail("a call is expected after {% call");
  return { kind: "call-block", parameters, call, body: parseWholeBody(stream, "endcall") };
}

function parsePrint(stream: TokenStream): Statement {
  const expressions: Expression[] = [];
  while (stream.current.type !== "block_end") {
    if (expressions.length > 0) stream.expectOperator(",");
    expressions.push(parseExpression(stream));
  }
  return { kind: "output", expressions };
}

function parseBlock(stream: TokenStream): BlockStatement {
  const name = stream.expect("name").text;
  const isScoped = stream.skipName("scoped");
  const isRequired = stream.skipName("required");
  const body = parseWholeBody(stream, "endblock");
  if (isRequired && !body.every(isBlank)) stream.fail("a required block holds white space only");
  stream.skipName(name);
  return { kind: "block", name, isScoped, isRequired, body };
}

function isBlank(statement: Statement): boolean {
  return statement.kind === "text" && [...statement.text].every(isSpace);
}

/** Parsed whole, so that a template may hold them where they are never reached. */
function parseLoad(stream: TokenStream, tag: string): Statement {
  const template = parseExpression(stream);
  const names: string[] = [];
  if (tag === "import") {
    stream.expectName("as");
    names.push(parseName(stream));
  }
  if (tag === "from") {
    stream.expectName("import");
    do {
      if (stream.isName("with", "without") && stream.followsName("context")) break;
      const name = parseName(stream);
      names.push(stream.skipName("as") ? parseName(stream) : name);
    } while (stream.skipOperator(","));
  }
  if (tag === "include" && stream.isName("ignore") && stream.followsName("missing")) {
    stream.next();
    stream.next();
  }
  if (tag !== "extends" && stream.isName("with", "without") && stream.followsName("context")) {
    stream.next();
    stream.next();
  }
  return { kind: "load", tag, template, names };
}

function parseParameters(stream: TokenStream): readonly Parameter[] {
  const parameters: Parameter[] = [];
  stream.expectOperator("(");
  while (!stream.isOperator(")")) {
    if (parameters.length > 0) stream.expectOperator(",");
    const name = parseName(stream);
    if (parameters.some((other) => other.name === name)) stream.fail(`${name} is repeated`);
    const fallback = stream.skipOperator("=") ? parseExpression(stream) : undefined;
    if (fallback === undefined && parameters.at(-1)?.fallback !== undefined) {
      stream.fail(`parameter ${name} without a default follows one that has it`);
    }
    parameters.push({ name, fallback });
  }
  stream.expectOperator(")");
  return parameters;
}

function parseName(stream: TokenStream): string {
  const name = stream.expect("name").text;
  return isAssignable(name) ? name : stream.fail(`cannot assign to ${name}`);
}

function isAssignable(name: string): boolean {
  return !["true", "false", "none", "True", "False", "None"].includes(name);
}

interface TargetForm {
  readonly end: string | undefined;
  readonly hasNamespaces: boolean;
}

function parseTarget(stream: TokenStream, { end, hasNamespaces }: TargetForm): Target {
  const parse = (): Target => {
    if (!hasNamespaces || stream.current.type !== "name" || !stream.followsOperator(".")) {
      return targetOf(stream, parsePrimary(stream));
    }
    const name = parseName(stream);
    stream.next();
    return { kind: "namespace", name, attribute: stream.expect("name").text };
  };
  const { items, isTuple } = parseItems(stream, parse, end);
  const [only] = items;
  if (isTuple) return { kind: "tuple", items };
  return only ?? stream.failExpecting("a name to assign to");
}

function targetOf(stream: TokenStream, expression: Expression): Target {
  if (expression.kind === "name") return { kind: "name", name: expression.name };
  if (expression.kind !== "tuple") return stream.fail(`cannot assign to a ${expression.kind}`);
  return { kind: "tuple", items: expression.items.map((item) => targetOf(stream, item)) };
}
