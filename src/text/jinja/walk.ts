/** The expressions inside an expression or a statement. */
import type { CallArguments, Expression, Statement, Target } from "./ast.ts";
import { fail } from "./errors.ts";

/** Every visit goes as deep as evaluation will: a template that it refuses would overflow the stack later. */
const maxExpressionDepth = 600;

/** Calls `visit` for the expression itself and all within it. */
export function visitExpressions(
  expression: Expression,
  visit: (expression: Expression) => void,
  depth = 0,
): void {
  if (depth > maxExpressionDepth) {
    fail("limit", `an expression nests deeper than ${maxExpressionDepth} levels`);
  }
  visit(expression);
  for (const child of childrenOf(expression)) visitExpressions(child, visit, depth + 1);
}

function childrenOf(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case "literal":
    case "name":
      return [];
    case "list":
    case "tuple":
    case "concat":
      return expression.items;
    case "dict":
      return expression.pairs.flat();
    case "binary":
    case "and":
    case "or":
      return [expression.left, expression.right];
    case "not":
    case "negative":
    case "positive":
      return [expression.operand];
    case "compare":
      return [expression.first, ...expression.rest.map(({ right }) => right)];
    case "attribute":
      return [expression.object];
    case "item":
      return [expression.object, expression.index];
    case "slice":
      return [expression.object, ...expression.bounds].filter((bound) => bound !== undefined);
    case "call":
      return [expression.callee, ...argumentsOf(expression.args)];
    case "filter":
    case "test": {
      const args = argumentsOf(expression.args);
      return expression.input === undefined ? args : [expression.input, ...args];
    }
    case "conditional": {
      const { test, then, otherwise } = expression;
      return otherwise === undefined ? [test, then] : [test, then, otherwise];
    }
    default:
      return expression satisfies never;
  }
}

function argumentsOf(args: CallArguments): readonly Expression[] {
  const { positional, named, spread, spreadNamed } = args;
  const all = [...positional, ...named.map(([, value]) => value), spread, spreadNamed];
  return all.filter((argument) => argument !== undefined);
}

/** The expressions that stand in the head of a statement. */
export function headsOf(statement: Statement): readonly Expression[] {
  switch (statement.kind) {
    case "output":
      return statement.expressions;
    case "set":
      return [statement.value];
    case "set-block":
      return statement.filter === undefined ? [] : [statement.filter];
    case "if":
      return statement.branches.map(({ test }) => test);
    case "for":
      return [statement.iterable, ...(statement.test === undefined ? [] : [statement.test])];
    case "with":
      return statement.pairs.map(([, value]) => value);
    case "macro":
      return fallbacksOf(statement.parameters);
    case "call-block":
      return [statement.call, ...fallbacksOf(statement.parameters)];
    case "filter-block":
      return [statement.filter];
    case "load":
      return [statement.template];
    default:
      return [];
  }
}

function fallbacksOf(
  parameters: readonly { readonly fallback: Expression | undefined }[],
): readonly Expression[] {
  return parameters.map(({ fallback }) => fallback).filter((fallback) => fallback !== undefined);
}

export function bodiesOf(statement: Statement): readonly (readonly Statement[])[] {
  switch (statement.kind) {
    case "if":
      return [...statement.branches.map(({ body }) => body), statement.otherwise];
    case "for":
      return [statement.body, statement.otherwise];
    default:
      return "body" in statement ? [statement.body] : [];
  }
}

/** Calls `visit` for every statement, those within others included. */
export function visitStatements(
  body: readonly Statement[],
  visit: (statement: Statement) => void,
): void {
  for (const statement of body) {
    visit(statement);
    for (const inner of bodiesOf(statement)) visitStatements(inner, visit);
  }
}

export function targetNames(target: Target): readonly string[] {
  if (target.kind === "name") return [target.name];
  return target.kind === "tuple" ? target.items.flatMap(targetNames) : [];
}
