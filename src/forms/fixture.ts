/** For tests: forms without a vocabulary, texts that are read byte by byte, and texts that are made at random. */
import type { Random } from "../core/random.ts";
import { Form, type FormSource } from "./form.ts";
import type { State } from "./states.ts";

/** Reads and makes texts only: it has no vocabulary. */
export function formOf(source: FormSource): Form {
  return new Form(source, {
    trie: () => {
      throw new Error("this form has no vocabulary");
    },
    spellingsOf: (text) => [Buffer.from(text)],
  });
}

export function schemaForm(schema: unknown): Form {
  return formOf({ kind: "schema", schema });
}

/** Whether the form has the value in its spelling, its keys in their order. */
export function writes(schema: unknown, value: unknown): boolean {
  return schemaForm(schema).accepts(JSON.stringify(value));
}

/** A text of the form, chosen byte by byte; undefined where it did not end within `most` bytes. */
export function randomText(form: Form, random: Random, most: number): string | undefined {
  const { states } = form;
  const bytes: number[] = [];
  let state: State = states.start;
  while (bytes.length < most) {
    if (state.isComplete && (state.items.length === 0 || random.uniform() < 0.3)) {
      return Buffer.from(bytes).toString("utf8");
    }
    const choices: number[] = [];
    for (let byte = 0; byte < 256; byte++) {
      if (states.afterByte(state, byte) !== states.dead) choices.push(byte);
    }
    if (choices.length === 0) throw new Error(`no byte goes on from ${Buffer.from(bytes)}`);
    // Quotes and brackets that close come more often: strings and lists end.
    const closing = choices.filter((byte) => '"]},'.includes(String.fromCharCode(byte)));
    const from = closing.length > 0 && random.uniform() < 0.4 ? closing : choices;
    const byte = from[Math.floor(random.uniform() * from.length)] ?? 0;
    bytes.push(byte);
    state = states.afterByte(state, byte);
  }
  return undefined;
}
