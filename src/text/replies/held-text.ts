/** Text whose white space at the ends is not shown: around marks it belongs to the form, not to the answer. */
export class HeldText {
  #space = "";
  #isShown = false;
  #drops = false;

  /** White space that is shown if text follows it. */
  hold(space: string): void {
    if (!this.#drops) this.#space += space;
  }

  /** Returns what can be shown. */
  push(text: string): string {
    const body = text.trimEnd();
    if (body === "") {
      this.hold(text);
      return "";
    }
    const shown = this.#space + (this.#drops ? body.trimStart() : body);
    this.#space = text.slice(body.length);
    this.#isShown = true;
    this.#drops = false;
    return shown;
  }

  /** Forgets the white space so far; before the first text also what comes. `between`: stands before the next text. */
  drop(between = ""): void {
    this.#space = this.#isShown ? between : "";
    this.#drops = !this.#isShown;
  }

  /** White space at the end of an answer is its own. */
  end(): string {
    return this.#space;
  }
}
