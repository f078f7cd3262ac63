/**
 * How the calls of an answer are written, as data: for a constraint that has the model write nothing else, and for what
 * earlier turns said. Families whose arguments are no JSON have none.
 */

export interface CallGrammar {
  /** In front of the first call. The answer calls where it says this, or `before` where this is empty. */
  readonly open: string;
  /** Of each call: in front of its name, between the name and the arguments, and behind them. */
  readonly before: string;
  readonly between: string;
  readonly after: string;
  /** Between two calls; undefined where an answer has one. */
  readonly separator: string | undefined;
  readonly close: string;
  /** Whether spaces and line breaks may stand in front of each call and of what closes the list. Default false. */
  readonly isSpaced?: boolean;
  /** Whether one call may stand in print(…). Default false. */
  readonly isPrinted?: boolean;
  /** How the arguments are written. Default: as a JSON object. */
  readonly dialect?: Dialect;
}

/** How a family of models writes the arguments of a call where it is not JSON. */
export type Dialect =
  /** As Python's: key=value between commas; True, False and None; texts in single quotes or double ones. */
  | { readonly kind: "python" }
  /** Braces, keys without quotes, texts as they are between two of this mark. */
  | { readonly kind: "braces"; readonly quote: string };

/** Calls whose arguments are tags: each text has what stands around it, line breaks that may be missing included. */
export interface TagGrammar {
  /** What a call, or several, begins with. */
  readonly mark: string;
  /** Of each call: in front of its name, behind it, and behind its arguments. */
  readonly before: string;
  readonly between: string;
  readonly after: string;
  readonly close: string;
  /** Of each argument. */
  readonly beforeKey: string;
  readonly afterKey: string;
  readonly afterKeyOfJson?: string;
  readonly afterValue: string;
  /** What ends a value: no text has it. */
  readonly end: string;
  readonly hasOwnLines: boolean;
}

export interface CallToWrite {
  readonly name: string;
  /** JSON text of an object. */
  readonly arguments: string;
}

/** `key`: of the arguments. */
export function jsonGrammar(
  name: string,
  key: string,
  around: Partial<CallGrammar> = {},
): CallGrammar {
  return {
    open: "",
    before: `{"${name}": "`,
    between: `", "${key}": `,
    after: "}",
    separator: ", ",
    close: "",
    ...around,
  };
}

/** A list of calls between two marks. */
export function listGrammar(open: string, close: string): CallGrammar {
  return jsonGrammar("name", "arguments", { open: `${open}[`, close: `]${close}` });
}

export const genericGrammar: CallGrammar = jsonGrammar("name", "arguments", {
  open: '{"tool_calls": [',
  close: "]}",
});

/** What a model writes that makes these calls. */
export function writeCalls(calls: readonly CallToWrite[], grammar: CallGrammar): string {
  const { open, before, between, after, separator = "", close } = grammar;
  const written = calls.map(({ name, arguments: text }) => before + name + between + text + after);
  return open + written.join(separator) + close;
}

/** The mark by which a call is known while it is being written: the first of what stands in front of a call. */
export function markOf({ open, before }: Pick<CallGrammar, "open" | "before">): string {
  const [mark = ""] = /^(?:<[^>]*>?|\[\w+\]|[^{[]*)/.exec(open + before) ?? [];
  return mark.trim();
}
