/** The symbols of every scope of a template: what RootVisitor and FrameSymbolVisitor of jinja2/idtracking.py do. */
import type {
  Expression,
  FilterExpression,
  ForStatement,
  Parameter,
  Statement,
  Target,
} from "./ast.ts";
import { Symbols } from "./symbols.ts";
import { findUndeclared } from "./undeclared.ts";
import { visitExpressions } from "./walk.ts";

/** The scope of a whole template or block. `specials` ("self", "super") are parameters where the body uses them. */
export function rootSymbols(body: readonly Statement[], specials: readonly string[]): Symbols {
  const symbols = new Symbols(undefined);
  for (const name of findUndeclared(body, specials)) symbols.declareParameter(name);
  return visitBody(body, symbols);
}

/** The scope of a body within another: of a filter block or a set block. */
export function bodySymbols(
  body: readonly Statement[],
  parent: Symbols,
  filter?: FilterExpression,
): Symbols {
  const symbols = visitBody(body, new Symbols(parent));
  if (filter !== undefined) visitExpression(filter, symbols);
  return symbols;
}

/** What a macro's body uses of the names that are no parameters. */
export interface MacroScope {
  readonly symbols: Symbols;
  readonly uses: ReadonlySet<string>;
}

const macroSpecials: readonly string[] = ["caller", "kwargs", "varargs"];

export function macroScope(
  parameters: readonly Parameter[],
  body: readonly Statement[],
  parent: Symbols,
): MacroScope {
  const symbols = new Symbols(parent);
  for (const { name } of parameters) symbols.declareParameter(name);
  for (const { fallback } of parameters) {
    if (fallback !== undefined) visitExpression(fallback, symbols);
  }
  visitBody(body, symbols);
  const uses = findUndeclared(body, macroSpecials);
  for (const name of uses) symbols.declareParameter(name);
  return { symbols, uses };
}

export interface LoopScopes {
  readonly body: Symbols;
  readonly test: Symbols;
  readonly otherwise: Symbols;
  /** The body uses `loop`. */
  readonly hasLoop: boolean;
}

export function loopScopes(statement: ForStatement, parent: Symbols): LoopScopes {
  const body = new Symbols(parent);
  const test = new Symbols(parent);
  const hasLoop =
    statement.isRecursive ||
    findUndeclared(statement.body, ["loop"]).has("loop") ||
    hasScopedBlock(statement.body) ||
    hasScopedBlock(statement.otherwise);
  if (hasLoop) body.declareParameter("loop");
  declareTarget(statement.target, body);
  visitBody(statement.body, body);
  declareTarget(statement.target, test);
  if (statement.test !== undefined) visitExpression(statement.test, test);
  const otherwise = visitBody(statement.otherwise, new Symbols(parent));
  return { body, test, otherwise, hasLoop };
}

export function withSymbols(
  targets: readonly Target[],
  body: readonly Statement[],
  parent: Symbols,
): Symbols {
  const symbols = new Symbols(parent);
  for (const target of targets) declareTarget(target, symbols);
  return visitBody(body, symbols);
}

function hasScopedBlock(body: readonly Statement[]): boolean {
  return body.some(
    (statement) =>
      (statement.kind === "block" && statement.isScoped) ||
      ("body" in statement && hasScopedBlock(statement.body)) ||
      ("otherwise" in statement && hasScopedBlock(statement.otherwise)) ||
      ("branches" in statement && statement.branches.some((branch) => hasScopedBlock(branch.body))),
  );
}

function visitBody(body: readonly Statement[], symbols: Symbols): Symbols {
  for (const statement of body) visitStatement(statement, symbols);
  return symbols;
}

/** What a statement reads and sets in the scope around it. */
function visitStatement(statement: Statement, symbols: Symbols): void {
  switch (statement.kind) {
    case "output":
      for (const expression of statement.expressions) visitExpression(expression, symbols);
      return;
    case "set":
      visitExpression(statement.value, symbols);
      visitTarget(statement.target, symbols);
      return;
    case "set-block":
      visitTarget(statement.target, symbols);
      return;
    case "if":
      visitBranches(statement.branches, statement.otherwise, symbols);
      return;
    case "for":
      visitExpression(statement.iterable, symbols);
      return;
    case "macro":
      symbols.store(statement.name);
      return;
    case "call-block":
      visitExpression(statement.call, symbols);
      return;
    case "filter-block":
      visitExpression(statement.filter, symbols);
      return;
    case "with":
      for (const [, value] of statement.pairs) visitExpression(value, symbols);
      return;
    case "load":
      visitExpression(statement.template, symbols);
      for (const name of statement.names) symbols.store(name);
      return;
    case "text":
    case "break":
    case "continue":
    case "block":
    case "generation":
      return;
    default:
      statement satisfies never;
  }
}

type Branch = { readonly test: Expression; readonly body: readonly Statement[] };

function visitBranches(
  [first, ...others]: readonly Branch[],
  otherwise: readonly Statement[],
  symbols: Symbols,
): void {
  if (first === undefined) return;
  visitExpression(first.test, symbols);
  const body = visitBody(first.body, symbols.copy());
  const elifs = symbols.copy();
  for (const branch of others) visitBranches([branch], [], elifs);
  symbols.mergeBranches([body, elifs, visitBody(otherwise, symbols.copy())]);
}

function visitExpression(expression: Expression, symbols: Symbols): void {
  visitExpressions(expression, (inner) => {
    if (inner.kind === "name") symbols.load(inner.name);
  });
}

function visitTarget(target: Target, symbols: Symbols): void {
  if (target.kind === "name") symbols.store(target.name);
  else if (target.kind === "namespace") symbols.load(target.name);
  else for (const item of target.items) visitTarget(item, symbols);
}

function declareTarget(target: Target, symbols: Symbols): void {
  if (target.kind === "name") symbols.declareParameter(target.name);
  else if (target.kind === "tuple") for (const item of target.items) declareTarget(item, symbols);
}
