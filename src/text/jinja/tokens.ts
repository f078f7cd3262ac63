/** The words of a template, as jinja2/lexer.py makes them. */

type TokenType =
  | "data"
  | "variable_begin"
  | "variable_end"
  | "block_begin"
  | "block_end"
  | "name"
  | "string"
  | "integer"
  | "float"
  | "operator"
  | "eof";

/** `text`: of data and strings what they mean, of everything else what is written. */
export interface Token {
  readonly type: TokenType;
  readonly text: string;
  readonly line: number;
}
