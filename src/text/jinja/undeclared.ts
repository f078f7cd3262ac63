/** Which of the special names ("loop", "caller", …) a body uses without setting them first: compiler.py, find_undeclared. */
import type { Expression, Statement, Target } from "./ast.ts";
import { targetNames, visitExpressions } from "./walk.ts";

export function findUndeclared(
  body: readonly Statement[],
  names: readonly string[],
): ReadonlySet<string> {
  const search = { open: new Set(names), found: new Set<string>() };
  for (const statement of body) searchStatement(statement, search);
  return search.found;
}

interface Search {
  readonly open: Set<string>;
  readonly found: Set<string>;
}

function searchStatement(statement: Statement, search: Search): void {
  switch (statement.kind) {
    case "output":
      searchAll(statement.expressions, search);
      return;
    case "set":
      declare(statement.target, search);
      searchAll([statement.value], search);
      return;
    case "set-block":
      declare(statement.target, search);
      searchAll(statement.filter === undefined ? [] : [statement.filter], search);
      searchBody(statement.body, search);
      return;
    case "if":
      for (const { test, body } of statement.branches) {
        searchAll([test], search);
        searchBody(body, search);
      }
      searchBody(statement.otherwise, search);
      return;
    case "for":
      declare(statement.target, search);
      searchAll([statement.iterable], search);
      searchBody(statement.body, search);
      searchBody(statement.otherwise, search);
      searchAll(statement.test === undefined ? [] : [statement.test], search);
      return;
    case "with":
      for (const [target] of statement.pairs) declare(target, search);
      for (const [, value] of statement.pairs) searchAll([value], search);
      searchBody(statement.body, search);
      return;
    case "call-block":
      searchAll([statement.call], search);
      searchFunction(statement, search);
      return;
    case "macro":
    case "generation":
      searchFunction(statement, search);
      return;
    case "filter-block":
      searchBody(statement.body, search);
      searchAll([statement.filter], search);
      return;
    case "load":
      searchAll([statement.template], search);
      return;
    default:
      return;
  }
}

function searchFunction(
  statement: Extract<Statement, { readonly kind: "macro" | "call-block" | "generation" }>,
  search: Search,
): void {
  for (const { name } of statement.parameters) search.open.delete(name);
  for (const { fallback } of statement.parameters) {
    if (fallback !== undefined) searchAll([fallback], search);
  }
  searchBody(statement.body, search);
}

function searchBody(body: readonly Statement[], search: Search): void {
  for (const statement of body) searchStatement(statement, search);
}

function searchAll(expressions: readonly Expression[], search: Search): void {
  for (const expression of expressions) {
    visitExpressions(expression, (inner) => {
      if (inner.kind === "name" && search.open.has(inner.name)) search.found.add(inner.name);
    });
  }
}

function declare(target: Target, search: Search): void {
  for (const name of targetNames(target)) search.open.delete(name);
}
