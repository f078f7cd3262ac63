/** Server-sent events from a stream whose pieces begin and end anywhere (https://html.spec.whatwg.org/multipage/server-sent-events.html). */

export class EventReader {
  /** The line that has not ended yet. */
  #rest = "";
  #data: string[] = [];

  /** The data of each event that `text` completes. Comments, as pings are, and names of events are left out. */
  push(text: string): readonly string[] {
    // A CR at the end may be the first half of a line break: it waits for what follows.
    const lines = `${this.#rest}${text}`.split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? "";
    return lines.flatMap((line) => this.#line(line));
  }

  #line(line: string): readonly string[] {
    if (line === "") {
      const data = this.#data;
      this.#data = [];
      return data.length > 0 ? [data.join("\n")] : [];
    }
    const [, value] = /^data(?:: ?(.*))?$/s.exec(line) ?? [];
    if (/^data(:|$)/.test(line)) this.#data.push(value ?? "");
    return [];
  }
}
