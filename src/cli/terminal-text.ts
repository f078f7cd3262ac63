/**
 * A model's answer on a terminal, as it comes: control sequences (ECMA-48: CSI, OSC, DCS and their like), other controls
 * and bidi controls are left out, line breaks and tabs stay. A sequence may be cut anywhere between two pieces.
 */

/** Where in a sequence the text is: after ESC, in the parameters of CSI, in the string of OSC and its like, after ESC in it. */
type Place = "text" | "escape" | "parameters" | "string" | "end of string";

/** A string that never ends must not swallow the answer: no terminal takes a longer title or link than about this. */
const maxString = 2048;

const bidiControl = /[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/;

export class TerminalText {
  #place: Place = "text";
  #length = 0;

  /** The part of the next piece that may be shown. */
  take(piece: string): string {
    let shown = "";
    for (const character of piece) {
      if (this.#place === "text" && character >= " " && character < "\u007f") shown += character;
      else shown += this.#step(character);
    }
    return shown;
  }

  #step(character: string): string {
    const code = character.codePointAt(0) ?? 0;
    const isBreak = character === "\n" || character === "\t";
    switch (this.#place) {
      case "text":
        return this.#begin(character, code);
      case "escape":
        return this.#afterEscape(character, code);
      case "parameters":
        // Final bytes end it; what cannot be part of it ends it too, as in a terminal.
        if (code >= 0x20 && code < 0x40) return this.#grow(character);
        this.#place = "text";
        return code >= 0x40 && code < 0x7f ? "" : this.#begin(character, code);
      case "string":
      case "end of string":
        return this.#inString(character, code, isBreak);
      default:
        return this.#place satisfies never;
    }
  }

  #begin(character: string, code: number): string {
    this.#length = 0;
    if (code === 0x1b) this.#place = "escape";
    else if (code === 0x9b) this.#place = "parameters";
    else if (isStringStart(code)) this.#place = "string";
    else if (character === "\n" || character === "\t") return character;
    else if (code >= 0x20 && !(code >= 0x7f && code < 0xa0) && !bidiControl.test(character)) {
      return character;
    }
    return "";
  }

  #afterEscape(character: string, code: number): string {
    // Intermediate bytes: the sequence goes on.
    if (code >= 0x20 && code < 0x30) return this.#grow(character);
    this.#place = "text";
    if (character === "[") this.#place = "parameters";
    else if (isStringStart(code + 0x40)) this.#place = "string";
    else if (code < 0x30 || code >= 0x7f) return this.#begin(character, code);
    return "";
  }

  #inString(character: string, code: number, isBreak: boolean): string {
    if (this.#place === "end of string") {
      // ESC \ ends it; another sequence does so too, and begins.
      this.#place = "escape";
      return code === 0x5c ? this.#leave() : this.#afterEscape(character, code);
    }
    if (code === 0x1b) this.#place = "end of string";
    else if (isBreak) return this.#leave() + character;
    else if (code === 0x07 || code === 0x9c || code === 0x18 || code === 0x1a) this.#leave();
    else return this.#grow(character);
    return "";
  }

  #grow(character: string): string {
    this.#length += character.length;
    if (this.#length > maxString) this.#place = "text";
    return "";
  }

  #leave(): string {
    this.#place = "text";
    return "";
  }
}

/** C1 controls that a string follows: DCS, SOS, OSC, PM, APC. After ESC they are the same less 0x40. */
function isStringStart(code: number): boolean {
  return code === 0x90 || code === 0x98 || (code >= 0x9d && code <= 0x9f);
}

/** Writes an answer to stdout: filtered for a terminal, untouched into a pipe or file. */
export function answerWriter(output: NodeJS.WriteStream = process.stdout): (text: string) => void {
  if (!output.isTTY) return (text) => void output.write(text);
  const terminal = new TerminalText();
  return (text) => void output.write(terminal.take(text));
}

/** The same of an answer whose thoughts are told apart: a terminal shows them dimmed, a pipe or file not at all. */
export function replyWriter(
  output: NodeJS.WriteStream = process.stdout,
): (text: string, kind: "content" | "reasoning") => void {
  const write = answerWriter(output);
  let isDim = false;
  return (text, kind) => {
    if (kind === "reasoning" && !output.isTTY) return;
    const wasDim = isDim;
    isDim = kind === "reasoning";
    if (wasDim && !isDim) output.write("\n\n");
    if (isDim) output.write(dim);
    write(text);
    // The answer may end here: what follows is not dim.
    if (isDim) output.write(plain);
  };
}

/** SGR of ECMA-48. */
const dim = "\x1b[2m";
const plain = "\x1b[0m";
