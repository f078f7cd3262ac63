/**
 * What a template may use. A template comes with a model and is not trusted: 100 bytes of it could fill the memory
 * or run for hours. The limits grow with the conversation, so that a long one is never refused for its length.
 */
import { fail } from "./errors.ts";

/** The longest template known (Llama 4, with tools) has 30 thousand characters. */
export const maxTemplateLength: number = 256 * 1024;
/** Brackets and statements within each other. CPython refuses 200 brackets too; templates nest a dozen. */
export const maxNesting = 200;
/** Expressions and statements under evaluation, macros included: about half of Node's default stack of 984 KiB. */
const maxDepth = 1000;
/** Macros within macros. Python's own limit of 1000 frames is reached at about 190. */
const maxCalls = 190;
/**
 * A million steps take 0.1 to 0.2 s. Of 70 published templates all but one take 30 to 260 steps for each message; that
 * of Gemma 4 looks back over all messages, so a thousand messages (3000 values) take 3.8 million.
 */
const freeSteps = 1_000_000;
const stepsPerValue = 3000;
/** Characters that a template makes in all, parts of later texts included: 64 MB at most for a short conversation. */
const freeCharacters = 32 * 1024 * 1024;
const charactersPerCharacter = 64;
/** A template writes what the messages say once, and adds some; JSON of tools grows by its indents. */
const freeOutput = 2 * 1024 * 1024;
const outputPerCharacter = 8;
/** A text operation reads this many characters in the time of a step. */
const charactersPerStep = 32;
/** What an item of a list costs, in characters. */
const charactersPerItem = 8;
/** Python itself writes no integer of more than 4300 digits, which are 14 285 bits. */
export const maxIntegerBits = 65_536;

/** How much a conversation holds. */
export interface InputSize {
  readonly values: number;
  readonly characters: number;
}

/** Counts what one rendering uses. Every method throws a TemplateError of kind "limit" at its limit. */
export class Budget {
  readonly #maxSteps: number;
  readonly #maxCharacters: number;
  readonly #maxOutput: number;
  #steps = 0;
  #characters = 0;
  #output = 0;
  #depth = 0;
  #calls = 0;

  constructor({ values, characters }: InputSize) {
    this.#maxSteps = freeSteps + stepsPerValue * values;
    this.#maxCharacters = freeCharacters + charactersPerCharacter * characters;
    this.#maxOutput = freeOutput + outputPerCharacter * characters;
  }

  step(count = 1): void {
    this.#steps += count;
    if (this.#steps > this.#maxSteps) overLimit(this.#maxSteps, "steps");
  }

  /** Before a text of so many characters is read whole. */
  read(characters: number): void {
    this.step(Math.ceil(characters / charactersPerStep));
  }

  /** Before a text is looked through character by character, by a pattern that Unicode makes slow. */
  scan(characters: number): void {
    this.step(Math.ceil(characters / 2));
  }

  /** Before a text of so many characters is made. */
  make(characters: number): void {
    if (!(characters <= this.#maxOutput)) overLimit(this.#maxOutput, "characters in one text");
    this.#characters += characters;
    if (this.#characters > this.#maxCharacters) overLimit(this.#maxCharacters, "characters in all");
    this.read(characters);
  }

  /** Before two texts are put together: V8 copies them later, when the whole is read, which is counted then. */
  concatenate(characters: number): void {
    if (!(characters <= this.#maxOutput)) overLimit(this.#maxOutput, "characters in one text");
    this.makeItems(4);
  }

  /** Before a list of so many items is made. */
  makeItems(items: number): void {
    this.make(items * charactersPerItem);
  }

  /** Before so many characters of the result are written. */
  write(characters: number): void {
    this.#output += characters;
    if (this.#output > this.#maxOutput) overLimit(this.#maxOutput, "characters of text");
  }

  enter(): void {
    this.step();
    this.#depth++;
    if (this.#depth > maxDepth) overLimit(maxDepth, "levels of nesting");
  }

  leave(): void {
    this.#depth--;
  }

  enterCall(): void {
    this.#calls++;
    if (this.#calls > maxCalls) overLimit(maxCalls, "calls within each other");
  }

  leaveCall(): void {
    this.#calls--;
  }
}

function overLimit(limit: number, of: string): never {
  fail("limit", `it needs more than ${limit} ${of}`);
}
