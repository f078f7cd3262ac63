import { describe, expect, it } from "vitest";
import { FormError } from "../core/errors.ts";
import { formOf } from "./fixture.ts";
import type { Form } from "./form.ts";

function grammar(source: string): Form {
  return formOf({ kind: "grammar", grammar: source });
}

function failure(source: string): string {
  try {
    grammar(source);
  } catch (error) {
    if (error instanceof FormError) return error.message;
    throw error;
  }
  return "none";
}

describe("a grammar in GBNF", () => {
  it("reads all that llama.cpp's own grammars are made of", () => {
    const form = grammar(`# JSON, as llama.cpp's json.gbnf
root   ::= object
value  ::= object | array | string | number | ("true" | "false" | "null") ws
object ::=
  "{" ws (
            string ":" ws value
    ("," ws string ":" ws value)*
  )? "}" ws
array  ::= "[" ws ( value ("," ws value)* )? "]" ws
string ::=
  "\\"" (
    [^"\\\\\\x7F\\x00-\\x1F] |
    "\\\\" (["\\\\bfnrt] | "u" [0-9a-fA-F]{4}) # escapes
  )* "\\"" ws
number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws
ws ::= | " " | "\\n" [ \\t]{0,20}`);
    expect(form.accepts('{"a": [1, -2.5e3, "é\\u00e9\\n"], "b":{}}')).toBe(true);
    expect(form.accepts('{"a": [1, }')).toBe(false);
    expect(form.accepts('{"a": 01}')).toBe(false);
  });

  it("counts repeats without writing them out", () => {
    const form = grammar('root ::= (("a"{2,3} ","){1000}){1000}');
    expect(form.accepts("aa,aaa,".repeat(500_000 / 500))).toBe(false);
    expect(grammar('root ::= [a-c]{3,70000} "."').accepts(`${"abc".repeat(20_000)}.`)).toBe(true);
    expect(grammar('root ::= ("ab" | "a"?){2,5} "."').accepts("aab.")).toBe(true);
  });

  it("follows a grammar in which every text has very many readings", () => {
    const form = grammar('root ::= "a" root "b" | "a" root "c" | "a" root | "a"');
    expect(form.accepts(`${"a".repeat(100)}${"bc".repeat(40)}`)).toBe(true);
    expect(form.accepts(`${"a".repeat(40)}${"bc".repeat(40)}`)).toBe(false);
  });

  it("refuses with one error that says where", () => {
    expect(failure('root ::= "a')).toMatch(/^grammar, character 12: needs " here/);
    expect(failure("root ::= [z-a]")).toMatch(/range whose end is before/);
    expect(failure('root ::= "a" b\nc ::= "x"')).toMatch(
      /names a rule "b" that it does not define/,
    );
    expect(failure('rot ::= "a"')).toMatch(/has no rule root/);
    expect(failure('root ::= "a"\nroot ::= "b"')).toMatch(/^grammar, line 2, .*twice/);
    expect(failure('root ::= root "a" | "a"')).toMatch(
      /rule root: begins with itself \(root → root\)/,
    );
    expect(failure('root ::= x? y\ny ::= x* root "a" | "b"\nx ::= "x"')).toMatch(/root → y → root/);
    expect(failure('root ::= "a" root')).toMatch(/no finite text matches/);
    expect(failure("root ::= <[1]>")).toMatch(/names a token/);
    expect(failure('root ::= "a"{3,2}')).toMatch(/at least 3 and at most 2/);
    expect(failure(`root ::= ${"(".repeat(300)}`)).toMatch(/more than 200 groups/);
  });
});
