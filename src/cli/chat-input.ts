/**
 * What a person says in a chat, message by message: a line, a pasted text of many, or what stands between two """.
 * A terminal marks pasted text for who asks for it (bracketed paste, xterm's control sequences, "Bracketed Paste Mode");
 * Node's readline shows the marks as the keys paste-start and paste-end.
 */
import { createInterface, type Interface } from "node:readline";
import { visibleText } from "../core/visible-text.ts";

const blockMark = '"""';
const pasteMarksOn = "\x1b[?2004h";
const pasteMarksOff = "\x1b[?2004l";

/** A file of lines on stdin is read no further ahead than this. */
const maxWaiting = 1024;

export class ChatInput implements Disposable {
  /** Where the person reads and types; undefined for a pipe. */
  readonly #terminal: NodeJS.WriteStream | undefined;
  readonly #lines: Interface;
  readonly #waiting: string[] = [];
  /** Lines of a message that is not complete. */
  #draft: string[] = [];
  #isBlock = false;
  #isPasting = false;
  #isAskedToLeave = false;
  #isClosed = false;
  #wake = (): void => {};

  /** `stopAnswer` is called at Ctrl-C; false means that no answer was being written. */
  constructor(stopAnswer: () => boolean) {
    this.#terminal = findTerminal();
    const output = this.#terminal;
    this.#lines = createInterface({ input: process.stdin, ...(output && { output }) });
    if (output !== undefined) this.#watchPastes(output);
    this.#lines.on("line", (line) => this.#takeLine(line));
    this.#lines.on("SIGINT", () => this.#interrupt(stopAnswer));
    this.#lines.on("close", () => {
      if (this.#draft.length > 0) this.#complete();
      this.#isClosed = true;
      this.#wake();
    });
  }

  /** Until stdin ends, or Ctrl-C comes twice when nothing is being written. */
  async *messages(): AsyncGenerator<string, void, undefined> {
    for (;;) {
      const message = await this.#next();
      if (message === undefined) return;
      yield message;
    }
  }

  /** The next message answers it; undefined where there is none. */
  ask(question: string): Promise<string | undefined> {
    if (this.#terminal === undefined) {
      this.tell(visibleText(question));
    } else if (!this.#isClosed) {
      this.#lines.setPrompt(visibleText(question));
      this.#lines.prompt();
    }
    return this.#next();
  }

  prompt(): void {
    if (this.#terminal === undefined || this.#isClosed) return;
    this.#lines.setPrompt(this.#draft.length > 0 || this.#isBlock ? "... " : "> ");
    this.#lines.prompt();
  }

  /** False for a pipe. */
  get isTerminal(): boolean {
    return this.#terminal !== undefined;
  }

  /** Lines about the chat itself, to who types. */
  tell(text: string): void {
    (this.#terminal ?? process.stderr).write(`${text}\n`);
  }

  async #next(): Promise<string | undefined> {
    while (this.#waiting.length === 0 && !this.#isClosed) {
      this.#lines.resume();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#waiting.shift();
  }

  [Symbol.dispose](): void {
    this.#terminal?.write(pasteMarksOff);
    // Leaving stdin open would keep the process.
    this.#lines.close();
  }

  #watchPastes(terminal: NodeJS.WriteStream): void {
    terminal.write(pasteMarksOn);
    // Before readline's own listener, which turns a line break into a line at once.
    process.stdin.prependListener("keypress", (_text, key?: { readonly name?: string }) => {
      if (key?.name === "paste-start") this.#isPasting = true;
      if (key?.name === "paste-end") this.#isPasting = false;
    });
  }

  #takeLine(line: string): void {
    this.#isAskedToLeave = false;
    if (this.#isPasting) {
      this.#draft.push(line);
      return;
    }
    const isOpening = !this.#isBlock && this.#draft.length === 0 && opens(line);
    const rest = isOpening ? line.trimStart().slice(blockMark.length) : line;
    this.#isBlock ||= isOpening;
    const isClosing = this.#isBlock && rest.trimEnd().endsWith(blockMark);
    const text = isClosing ? rest.trimEnd().slice(0, -blockMark.length) : rest;
    // The marks may stand on lines of their own.
    if (text !== "" || !(isOpening || isClosing)) this.#draft.push(text);
    if (this.#isBlock && !isClosing) this.prompt();
    else this.#complete();
  }

  #complete(): void {
    this.#waiting.push(this.#draft.join("\n").trim());
    this.#draft = [];
    this.#isBlock = false;
    if (this.#terminal === undefined && this.#waiting.length >= maxWaiting) this.#lines.pause();
    this.#wake();
  }

  /** Ctrl-C: stops an answer; else forgets what was typed; else leaves when it comes twice, since an answer may just have ended. */
  #interrupt(stopAnswer: () => boolean): void {
    if (stopAnswer()) return;
    const hasDraft = this.#draft.length > 0 || this.#isBlock;
    if (this.#lines.line !== "" || hasDraft) {
      this.#isAskedToLeave = false;
      this.#lines.write(null, { ctrl: true, name: "e" });
      this.#lines.write(null, { ctrl: true, name: "u" });
      this.#draft = [];
      this.#isBlock = false;
      if (hasDraft) this.tell("");
      this.prompt();
    } else if (this.#isAskedToLeave) {
      this.#lines.close();
    } else {
      this.#isAskedToLeave = true;
      this.tell("\nCtrl-C again leaves.");
      this.prompt();
    }
  }
}

function opens(line: string): boolean {
  return line.trimStart().startsWith(blockMark);
}

/** What of the process's streams a person sees. One may be redirected, as in `hearth chat 2> log`. */
function findTerminal(): NodeJS.WriteStream | undefined {
  if (!process.stdin.isTTY) return undefined;
  return [process.stdout, process.stderr].find(({ isTTY }) => isTTY);
}
