/** Expressions: the second half of jinja2/parser.py, with its precedences. */
import type {
  BinaryOperator,
  CallArguments,
  ComparisonOperator,
  Expression,
  FilterExpression,
  SliceBounds,
} from "./ast.ts";
import type { TokenStream } from "./token-stream.ts";

export interface TupleForm {
  /** An `if … else` may stand in it. Default true. */
  readonly hasConditions?: boolean;
  /** A word that ends it. */
  readonly end?: string;
}

/** One expression, or several with commas between: a tuple. */
export function parseTuple(stream: TokenStream, form: TupleForm = {}): Expression {
  const { hasConditions = true } = form;
  const parse = (): Expression =>
    stream.nested(() => (hasConditions ? parseConditional(stream) : parseOr(stream)));
  const { items, isTuple } = parseItems(stream, parse, form.end);
  if (isTuple) return { kind: "tuple", items };
  return items[0] ?? stream.failExpecting("an expression");
}

/** Without a comma, there is at most one item. */
export function parseItems<Item>(
  stream: TokenStream,
  parse: () => Item,
  end: string | undefined,
): { readonly items: readonly Item[]; readonly isTuple: boolean } {
  const items: Item[] = [];
  let isTuple = false;
  for (;;) {
    if (items.length > 0) stream.expectOperator(",");
    if (isTupleEnd(stream, end)) break;
    items.push(parse());
    if (!stream.isOperator(",")) break;
    isTuple = true;
  }
  return { items, isTuple };
}

function isTupleEnd(stream: TokenStream, end: string | undefined): boolean {
  const { type } = stream.current;
  if (type === "variable_end" || type === "block_end" || stream.isOperator(")")) return true;
  return end !== undefined && stream.isName(end);
}

export function parseExpression(stream: TokenStream): Expression {
  return stream.nested(() => parseConditional(stream));
}

function parseConditional(stream: TokenStream): Expression {
  let then = parseOr(stream);
  while (stream.skipName("if")) {
    const test = parseOr(stream);
    const otherwise = stream.skipName("else")
      ? stream.nested(() => parseConditional(stream))
      : undefined;
    then = { kind: "conditional", test, then, otherwise };
  }
  return then;
}

function parseOr(stream: TokenStream): Expression {
  let left = parseAnd(stream);
  while (stream.skipName("or")) left = { kind: "or", left, right: parseAnd(stream) };
  return left;
}

function parseAnd(stream: TokenStream): Expression {
  let left = parseNot(stream);
  while (stream.skipName("and")) left = { kind: "and", left, right: parseNot(stream) };
  return left;
}

function parseNot(stream: TokenStream): Expression {
  if (!stream.skipName("not")) return parseComparison(stream);
  return { kind: "not", operand: stream.nested(() => parseNot(stream)) };
}

const comparisons: readonly ComparisonOperator[] = ["==", "!=", "<=", ">=", "<", ">"];

function parseComparison(stream: TokenStream): Expression {
  const first = parseSum(stream);
  const rest: { operator: ComparisonOperator; right: Expression }[] = [];
  for (;;) {
    const operator = takeComparison(stream);
    if (operator === undefined) break;
    rest.push({ operator, right: parseSum(stream) });
  }
  return rest.length === 0 ? first : { kind: "compare", first, rest };
}

function takeComparison(stream: TokenStream): ComparisonOperator | undefined {
  if (stream.skipName("in")) return "in";
  if (stream.isName("not") && stream.followsName("in")) {
    stream.next();
    stream.next();
    return "not in";
  }
  return comparisons.find((operator) => stream.skipOperator(operator));
}

function parseBinary(
  stream: TokenStream,
  operators: readonly BinaryOperator[],
  parseOperand: (stream: TokenStream) => Expression,
): Expression {
  let left = parseOperand(stream);
  for (;;) {
    const operator = operators.find((candidate) => stream.skipOperator(candidate));
    if (operator === undefined) return left;
    left = { kind: "binary", operator, left, right: parseOperand(stream) };
  }
}

function parseSum(stream: TokenStream): Expression {
  return parseBinary(stream, ["+", "-"], parseConcat);
}

function parseConcat(stream: TokenStream): Expression {
  const first = parseProduct(stream);
  if (!stream.isOperator("~")) return first;
  const items = [first];
  while (stream.skipOperator("~")) items.push(parseProduct(stream));
  return { kind: "concat", items };
}

function parseProduct(stream: TokenStream): Expression {
  return parseBinary(stream, ["*", "//", "/", "%"], parsePower);
}

function parsePower(stream: TokenStream): Expression {
  return parseBinary(stream, ["**"], (within) => parseUnary(within));
}

function parseUnary(stream: TokenStream): Expression {
  return parseFilters(stream, parseSigned(stream));
}

function parseSigned(stream: TokenStream): Expression {
  if (stream.skipOperator("-")) return parseOperand(stream, "negative");
  if (stream.skipOperator("+")) return parseOperand(stream, "positive");
  return parsePostfix(stream, parsePrimary(stream));
}

/** A sign binds tighter than a filter, less tight than a call. */
function parseOperand(stream: TokenStream, kind: "negative" | "positive"): Expression {
  const operand = stream.nested(() => parseSigned(stream));
  return parsePostfix(stream, { kind, operand });
}

const constants: Readonly<Record<string, true | false | null>> = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
};

export function parsePrimary(stream: TokenStream): Expression {
  const token = stream.current;
  switch (token.type) {
    case "name": {
      stream.next();
      const value = Object.hasOwn(constants, token.text) ? constants[token.text] : undefined;
      return value === undefined ? { kind: "name", name: token.text } : { kind: "literal", value };
    }
    case "string": {
      let value = "";
      while (stream.current.type === "string") value += stream.next().text;
      return { kind: "literal", value };
    }
    case "integer":
      stream.next();
      return { kind: "literal", value: BigInt(token.text.toLowerCase()) };
    case "float":
      stream.next();
      return { kind: "literal", value: Number(token.text) };
    default:
      return parseBracketed(stream);
  }
}

function parseBracketed(stream: TokenStream): Expression {
  if (stream.skipOperator("(")) {
    const { items, isTuple } = parseItems(stream, () => parseExpression(stream), undefined);
    stream.expectOperator(")");
    const [only] = items;
    return isTuple || only === undefined ? { kind: "tuple", items } : only;
  }
  if (stream.skipOperator("[")) {
    return { kind: "list", items: parseUntil(stream, "]", () => parseExpression(stream)) };
  }
  if (stream.skipOperator("{")) {
    const pairs = parseUntil(stream, "}", () => {
      const key = parseExpression(stream);
      stream.expectOperator(":");
      return [key, parseExpression(stream)] as const;
    });
    return { kind: "dict", pairs };
  }
  return stream.failExpecting("an expression");
}

/** Items with commas between, and perhaps one after the last. */
function parseUntil<Item>(stream: TokenStream, closing: string, parse: () => Item): Item[] {
  const items: Item[] = [];
  while (!stream.isOperator(closing)) {
    if (items.length > 0) stream.expectOperator(",");
    if (stream.isOperator(closing)) break;
    items.push(parse());
  }
  stream.expectOperator(closing);
  return items;
}

function parsePostfix(stream: TokenStream, start: Expression): Expression {
  let object = start;
  for (;;) {
    if (stream.skipOperator(".")) object = parseDotted(stream, object);
    else if (stream.skipOperator("[")) object = parseSubscript(stream, object);
    else if (stream.isOperator("(")) object = parseCall(stream, object);
    else return object;
  }
}

function parseFilters(stream: TokenStream, start: Expression): Expression {
  let input = start;
  for (;;) {
    if (stream.skipOperator("|")) input = parseFilter(stream, input);
    else if (stream.skipName("is")) input = parseTest(stream, input);
    else if (stream.isOperator("(")) input = parseCall(stream, input);
    else return input;
  }
}

function parseDotted(stream: TokenStream, object: Expression): Expression {
  const token = stream.next();
  if (token.type === "name") return { kind: "attribute", object, name: token.text };
  if (token.type !== "integer") stream.fail("a name or a number is expected after a dot");
  return { kind: "item", object, index: { kind: "literal", value: BigInt(token.text) } };
}

function parseSubscript(stream: TokenStream, object: Expression): Expression {
  const parts: (Expression | SliceBounds)[] = [];
  while (!stream.isOperator("]")) {
    if (parts.length > 0) stream.expectOperator(",");
    parts.push(parseSubscriptPart(stream));
  }
  stream.expectOperator("]");
  const [first] = parts;
  if (parts.length === 1 && first !== undefined) {
    return "kind" in first
      ? { kind: "item", object, index: first }
      : { kind: "slice", object, bounds: first };
  }
  const items = parts.map((part) =>
    "kind" in part ? part : stream.fail("a slice cannot stand beside another index"),
  );
  return { kind: "item", object, index: { kind: "tuple", items } };
}

function parseSubscriptPart(stream: TokenStream): Expression | SliceBounds {
  let start: Expression | undefined;
  if (!stream.isOperator(":")) {
    start = parseExpression(stream);
    if (!stream.isOperator(":")) return start;
  }
  stream.expectOperator(":");
  const stop = stream.isOperator(":") ? undefined : parseBound(stream);
  const step = stream.skipOperator(":") ? parseBound(stream) : undefined;
  return [start, stop, step];
}

function parseBound(stream: TokenStream): Expression | undefined {
  if (stream.isOperator("]") || stream.isOperator(",")) return undefined;
  return parseExpression(stream);
}

function parseCall(stream: TokenStream, callee: Expression): Expression {
  return { kind: "call", callee, args: parseArguments(stream) };
}

function parseArguments(stream: TokenStream): CallArguments {
  stream.expectOperator("(");
  const positional: Expression[] = [];
  const named: [string, Expression][] = [];
  let spread: Expression | undefined;
  let spreadNamed: Expression | undefined;
  const ensure = (isValid: boolean): void => {
    if (!isValid) stream.fail("invalid order of arguments in a call");
  };
  for (let isFirst = true; !stream.isOperator(")"); isFirst = false) {
    if (!isFirst) stream.expectOperator(",");
    if (stream.isOperator(")")) break;
    ensure(spreadNamed === undefined);
    if (stream.skipOperator("*")) {
      ensure(spread === undefined);
      spread = parseExpression(stream);
    } else if (stream.skipOperator("**")) {
      spreadNamed = parseExpression(stream);
    } else if (stream.current.type === "name" && stream.followsOperator("=")) {
      const name = stream.next().text;
      stream.next();
      if (named.some(([other]) => other === name)) stream.fail(`argument ${name} is repeated`);
      named.push([name, parseExpression(stream)]);
    } else {
      ensure(spread === undefined && named.length === 0);
      positional.push(parseExpression(stream));
    }
  }
  stream.expectOperator(")");
  return {
    positional,
    named,
    ...(spread === undefined ? {} : { spread }),
    ...(spreadNamed === undefined ? {} : { spreadNamed }),
  };
}

const noArguments: CallArguments = { positional: [], named: [] };

function parseDottedName(stream: TokenStream): string {
  let name = stream.expect("name").text;
  while (stream.skipOperator(".")) name += `.${stream.expect("name").text}`;
  return name;
}

/** After the bar. */
export function parseFilter(stream: TokenStream, input: Expression | undefined): FilterExpression {
  const name = parseDottedName(stream);
  const args = stream.isOperator("(") ? parseArguments(stream) : noArguments;
  return { kind: "filter", input, name, args };
}

/** After "is". */
function parseTest(stream: TokenStream, input: Expression): Expression {
  const isNegated = stream.skipName("not");
  const name = parseDottedName(stream);
  const test: Expression = { kind: "test", input, name, args: parseTestArguments(stream) };
  return isNegated ? { kind: "not", operand: test } : test;
}

/** In brackets, or one operand without any. */
function parseTestArguments(stream: TokenStream): CallArguments {
  if (stream.isOperator("(")) return parseArguments(stream);
  const { type } = stream.current;
  const isOperand = type === "name" || type === "string" || type === "integer" || type === "float";
  if (!isOperand && !stream.isOperator("[") && !stream.isOperator("{")) return noArguments;
  if (stream.isName("else", "or", "and")) return noArguments;
  if (stream.isName("is")) stream.fail("tests cannot be chained with is");
  const operand = stream.nested(() => parsePostfix(stream, parsePrimary(stream)));
  return { positional: [operand], named: [] };
}
