/** What a template says, after jinja2/nodes.py. */

/** A value that is written in the template. Integers are bigint, floats number. */
type Literal = null | boolean | bigint | number | string;

export type BinaryOperator = "+" | "-" | "*" | "/" | "//" | "%" | "**";
export type ComparisonOperator = "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "not in";

export interface CallArguments {
  readonly positional: readonly Expression[];
  readonly named: readonly (readonly [name: string, value: Expression])[];
  /** After `*`. */
  readonly spread?: Expression;
  /** After `**`. */
  readonly spreadNamed?: Expression;
}

/** A filter. `input` is absent where a block gives it: `{% filter upper %}`. */
export interface FilterExpression {
  readonly kind: "filter";
  readonly input: Expression | undefined;
  readonly name: string;
  readonly args: CallArguments;
}

interface CallExpression {
  readonly kind: "call";
  readonly callee: Expression;
  readonly args: CallArguments;
}

export type Expression =
  | { readonly kind: "literal"; readonly value: Literal }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "list" | "tuple" | "concat"; readonly items: readonly Expression[] }
  | { readonly kind: "dict"; readonly pairs: readonly (readonly [Expression, Expression])[] }
  | {
      readonly kind: "binary";
      readonly operator: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
    }
  | { readonly kind: "and" | "or"; readonly left: Expression; readonly right: Expression }
  | { readonly kind: "not" | "negative" | "positive"; readonly operand: Expression }
  | {
      readonly kind: "compare";
      readonly first: Expression;
      readonly rest: readonly {
        readonly operator: ComparisonOperator;
        readonly right: Expression;
      }[];
    }
  | { readonly kind: "attribute"; readonly object: Expression; readonly name: string }
  | { readonly kind: "item"; readonly object: Expression; readonly index: Expression }
  | {
      readonly kind: "slice";
      readonly object: Expression;
      readonly bounds: SliceBounds;
    }
  | CallExpression
  | FilterExpression
  | {
      readonly kind: "test";
      readonly input: Expression;
      readonly name: string;
      readonly args: CallArguments;
    }
  | {
      readonly kind: "conditional";
      readonly test: Expression;
      readonly then: Expression;
      readonly otherwise: Expression | undefined;
    };

/** [start, stop, step] */
export type SliceBounds = readonly [
  Expression | undefined,
  Expression | undefined,
  Expression | undefined,
];

/** What `set` and `for` assign to. */
export type Target =
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "tuple"; readonly items: readonly Target[] }
  /** `{% set ns.count = 1 %}` */
  | { readonly kind: "namespace"; readonly name: string; readonly attribute: string };

export interface Parameter {
  readonly name: string;
  readonly fallback: Expression | undefined;
}

export interface ForStatement {
  readonly kind: "for";
  readonly target: Target;
  readonly iterable: Expression;
  readonly test: Expression | undefined;
  readonly isRecursive: boolean;
  readonly body: readonly Statement[];
  readonly otherwise: readonly Statement[];
}

export interface IfStatement {
  readonly kind: "if";
  readonly branches: readonly { readonly test: Expression; readonly body: readonly Statement[] }[];
  readonly otherwise: readonly Statement[];
}

interface MacroStatement {
  readonly kind: "macro";
  readonly name: string;
  readonly parameters: readonly Parameter[];
  readonly body: readonly Statement[];
}

interface CallStatement {
  readonly kind: "call-block";
  readonly parameters: readonly Parameter[];
  readonly call: CallExpression;
  readonly body: readonly Statement[];
}

interface SetBlockStatement {
  readonly kind: "set-block";
  readonly target: Target;
  readonly filter: FilterExpression | undefined;
  readonly body: readonly Statement[];
}

interface WithStatement {
  readonly kind: "with";
  readonly pairs: readonly (readonly [Target, Expression])[];
  readonly body: readonly Statement[];
}

export interface BlockStatement {
  readonly kind: "block";
  readonly name: string;
  readonly isScoped: boolean;
  readonly isRequired: boolean;
  readonly body: readonly Statement[];
}

interface FilterStatement {
  readonly kind: "filter-block";
  readonly filter: FilterExpression;
  readonly body: readonly Statement[];
}

/** `{% generation %}` of transformers: marks what the assistant wrote, and has a scope of its own. */
interface GenerationStatement {
  readonly kind: "generation";
  readonly parameters: readonly Parameter[];
  readonly body: readonly Statement[];
}

export type Statement =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "output"; readonly expressions: readonly Expression[] }
  | { readonly kind: "set"; readonly target: Target; readonly value: Expression }
  | { readonly kind: "break" | "continue" }
  /** include, import, from and extends: there is nothing to load, so they fail where they are reached. */
  | {
      readonly kind: "load";
      readonly tag: string;
      readonly template: Expression;
      readonly names: readonly string[];
    }
  | ForStatement
  | IfStatement
  | MacroStatement
  | CallStatement
  | SetBlockStatement
  | WithStatement
  | BlockStatement
  | FilterStatement
  | GenerationStatement;
