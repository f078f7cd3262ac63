/**
 * What is known of a template before it runs: the scopes of its statements, and the errors that Python finds when
 * Jinja compiles a template to it (jinja2/compiler.py).
 */
import type { Expression, Parameter, Statement, Target } from "./ast.ts";
import { fail } from "./errors.ts";
import { filters } from "./filters.ts";
import {
  bodySymbols,
  type LoopScopes,
  loopScopes,
  type MacroScope,
  macroScope,
  rootSymbols,
  withSymbols,
} from "./scopes.ts";
import type { Symbols } from "./symbols.ts";
import { tests } from "./tests.ts";
import { bodiesOf, headsOf, targetNames, visitExpressions, visitStatements } from "./walk.ts";

export interface Prepared {
  readonly body: readonly Statement[];
  readonly symbols: Symbols;
  readonly loops: ReadonlyMap<Statement, LoopScopes>;
  readonly macros: ReadonlyMap<Statement, MacroScope>;
  /** Of `with`, filter blocks, set blocks and blocks. */
  readonly bodies: ReadonlyMap<Statement, Symbols>;
  readonly blocks: ReadonlyMap<string, Extract<Statement, { readonly kind: "block" }>>;
  /** What is written out, is constant and has a slice: Jinja calculates it before the template runs. */
  readonly constantSlices: ReadonlySet<Expression>;
}

/** @throws TemplateError of kind "syntax" or "limit" */
export function prepare(body: readonly Statement[]): Prepared {
  const preparation = new Preparation();
  const constantSlices = new Set<Expression>();
  visitStatements(body, (statement) => {
    if (statement.kind !== "output") return;
    for (const expression of statement.expressions) {
      if (isConstantSlice(expression)) constantSlices.add(expression);
    }
  });
  const symbols = rootSymbols(body, ["self"]);
  preparation.visitBody(body, { symbols, isInLoop: false, isSoft: false, isTop: true });
  return { body, symbols, constantSlices, ...preparation };
}

/** These filters look into the template, so that Jinja never calculates them before it runs. */
const contextFilters = new Set(["map", "random", "reject", "rejectattr", "select", "selectattr"]);

function isConstantSlice(expression: Expression): boolean {
  let hasSlice = false;
  let isConstant = true;
  visitExpressions(expression, (inner) => {
    hasSlice ||= inner.kind === "slice";
    const isContextFilter = inner.kind === "filter" && contextFilters.has(inner.name);
    const isHalf = inner.kind === "conditional" && inner.otherwise === undefined;
    isConstant &&= inner.kind !== "name" && inner.kind !== "call" && !isContextFilter && !isHalf;
  });
  return isConstant && hasSlice;
}

interface Place {
  readonly symbols: Symbols;
  /** `break` and `continue` may stand here. */
  readonly isInLoop: boolean;
  /** Within an `if`: a filter that does not exist fails where it is reached only. */
  readonly isSoft: boolean;
  readonly isTop: boolean;
}

class Preparation {
  readonly loops = new Map<Statement, LoopScopes>();
  readonly macros = new Map<Statement, MacroScope>();
  readonly bodies = new Map<Statement, Symbols>();
  readonly blocks = new Map<string, Extract<Statement, { readonly kind: "block" }>>();

  visitBody(body: readonly Statement[], place: Place): void {
    for (const statement of body) this.#visit(statement, place);
  }

  #visit(statement: Statement, place: Place): void {
    switch (statement.kind) {
      case "for":
        this.#visitFor(statement, place);
        return;
      case "if":
        for (const test of headsOf(statement)) checkNames(test, true);
        for (const body of bodiesOf(statement)) this.visitBody(body, { ...place, isSoft: true });
        return;
      case "macro":
      case "call-block":
      case "generation":
        if (statement.kind === "call-block") checkNames(statement.call, place.isSoft);
        this.#visitMacro(statement, place);
        return;
      case "with":
        checkHeads(statement, place.isSoft);
        this.#enter(statement, statement.body, place, () => {
          const targets = statement.pairs.map(([target]) => target);
          return withSymbols(targets, statement.body, place.symbols);
        });
        return;
      case "set-block":
        checkHeads(statement, false);
        this.#enter(statement, statement.body, place, () => {
          return bodySymbols(statement.body, place.symbols);
        });
        return;
      case "filter-block":
        checkHeads(statement, false);
        this.#enter(statement, statement.body, place, () => {
          return bodySymbols(statement.body, place.symbols, statement.filter);
        });
        return;
      case "block":
        this.#visitBlock(statement);
        return;
      case "break":
      case "continue":
        if (!place.isInLoop) fail("syntax", `{% ${statement.kind} %} stands outside of a loop`);
        return;
      case "load":
        if (statement.tag === "extends" && !place.isTop) {
          fail("syntax", "{% extends %} stands within another block");
        }
        checkHeads(statement, place.isSoft);
        return;
      default:
        checkHeads(statement, place.isSoft);
        return;
    }
  }

  #visitFor(statement: Extract<Statement, { readonly kind: "for" }>, place: Place): void {
    refuseLoopAsTarget(statement);
    const scopes = loopScopes(statement, place.symbols);
    this.loops.set(statement, scopes);
    checkNames(statement.iterable, !statement.isRecursive && place.isSoft);
    if (statement.test !== undefined) checkNames(statement.test, false);
    const inner = { isSoft: false, isTop: false };
    this.visitBody(statement.body, { ...inner, symbols: scopes.body, isInLoop: true });
    const isInLoop = place.isInLoop && !statement.isRecursive;
    this.visitBody(statement.otherwise, { ...inner, symbols: scopes.otherwise, isInLoop });
  }

  #visitMacro(
    statement: Extract<Statement, { readonly kind: "macro" | "call-block" | "generation" }>,
    place: Place,
  ): void {
    const { parameters, body } = statement;
    const scope = macroScope(parameters, body, place.symbols);
    checkCaller(parameters, scope.uses);
    this.macros.set(statement, scope);
    for (const { fallback } of parameters) if (fallback !== undefined) checkNames(fallback, false);
    const inner = { isInLoop: false, isSoft: false, isTop: false };
    this.visitBody(body, { ...inner, symbols: scope.symbols });
  }

  #visitBlock(statement: Extract<Statement, { readonly kind: "block" }>): void {
    if (this.blocks.has(statement.name)) fail("syntax", `block ${statement.name} is defined twice`);
    this.blocks.set(statement.name, statement);
    const symbols = rootSymbols(statement.body, ["self", "super"]);
    this.bodies.set(statement, symbols);
    const inner = { isInLoop: false, isSoft: false, isTop: false };
    this.visitBody(statement.body, { ...inner, symbols });
  }

  #enter(
    statement: Statement,
    body: readonly Statement[],
    place: Place,
    symbolsOf: () => Symbols,
  ): void {
    const symbols = symbolsOf();
    this.bodies.set(statement, symbols);
    this.visitBody(body, { ...place, symbols, isSoft: false, isTop: false });
  }
}

function checkHeads(statement: Statement, isSoft: boolean): void {
  for (const expression of headsOf(statement)) checkNames(expression, isSoft);
}

/** All filters and tests exist; those in a condition need not. */
function checkNames(expression: Expression, isSoft: boolean): void {
  const soft = new Set<Expression>();
  visitExpressions(expression, (inner) => {
    if (inner.kind === "conditional") {
      for (const part of [inner.test, inner.then, inner.otherwise]) {
        if (part !== undefined) visitExpressions(part, (within) => soft.add(within));
      }
    }
    if (isSoft || soft.has(inner)) return;
    if (inner.kind === "filter" && !filters.has(inner.name)) failUnknown("filter", inner.name);
    if (inner.kind === "test" && !tests.has(inner.name)) failUnknown("test", inner.name);
  });
}

export function failUnknown(kind: "filter" | "test", name: string): never {
  fail("syntax", `there is no ${kind} "${name}"`);
}

function checkCaller(parameters: readonly Parameter[], uses: ReadonlySet<string>): void {
  const caller = parameters.find(({ name }) => name === "caller");
  if (caller !== undefined && uses.has("caller") && caller.fallback === undefined) {
    fail("syntax", 'the parameter "caller" of a macro needs a default');
  }
}

/** Nothing in a loop may set `loop`. */
function refuseLoopAsTarget(statement: Extract<Statement, { readonly kind: "for" }>): void {
  visitStatements([statement], (inner) => {
    if (storedBy(inner).some((target) => targetNames(target).includes("loop"))) {
      fail("syntax", "a loop cannot assign to the special variable loop");
    }
  });
}

function storedBy(statement: Statement): readonly Target[] {
  switch (statement.kind) {
    case "for":
    case "set":
    case "set-block":
      return [statement.target];
    default:
      return [];
  }
}
