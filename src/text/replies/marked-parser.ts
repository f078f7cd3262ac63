/**
 * Reads answers in which marks stand around what is not content: thoughts, calls of tools. What is decided depends on
 * the text alone, never on where its pieces were cut: a piece of text is given out once no text behind it could make it
 * something else.
 *
 * A call inside reasoning counts where the answer says nothing after it: models forget to end their thoughts before
 * they act. Otherwise it stays a thought, and a notice says so.
 */
import type { CallReader, CallSyntax, WrittenCall } from "./call-syntax.ts";
import { EventLog } from "./event-log.ts";
import { countPartialMark, findFirst } from "./find-marks.ts";
import { HeldText } from "./held-text.ts";
import type { ReplyEvent, ReplyParser } from "./reply.ts";
import type { Tool } from "./tool.ts";

export interface ReasoningMarks {
  readonly open: string;
  readonly close: string;
}

export interface MarkedForm {
  readonly reasoning: readonly ReasoningMarks[];
  /** None: no text is a call. */
  readonly calls: readonly CallSyntax[];
  /** Marks that say nothing to the reader of an answer, such as those around several calls. */
  readonly silent: readonly string[];
}

export interface MarkedOptions {
  readonly tools: readonly Tool[];
  /** The reasoning that the prompt has begun; it ends with its close mark. */
  readonly opened: ReasoningMarks | undefined;
  /** What the prompt has begun to write of the first mark; "" for nothing. */
  readonly begun: string;
  /** The text goes on from some that the prompt has: white space in front is its own, and nothing that only begins an answer counts. */
  readonly goesOn: boolean;
  readonly idOf: (index: number) => string;
}

/** A call that is being read. */
interface Region {
  readonly syntax: CallSyntax;
  readonly reader: CallReader;
  readonly isInReasoning: boolean;
  /** What the reader has read. */
  readonly pieces: string[];
}

/** Calls in reasoning, until what follows says whether they count. */
interface Candidates {
  readonly calls: WrittenCall[];
  /** As it was written, up to the mark that ends the reasoning. */
  text: string;
  isReasoningClosed: boolean;
}

export class MarkedParser implements ReplyParser {
  readonly #form: MarkedForm;
  readonly #tools: readonly Tool[];
  readonly #log: EventLog;
  readonly #content = new HeldText();
  readonly #thought = new HeldText();
  /** Behind what has been decided. */
  #rest: string;
  /** Of #rest, what is the prompt's and no content. */
  #begun: string;
  #reasoning: ReasoningMarks | undefined;
  #region: Region | undefined;
  #candidates: Candidates | undefined;
  /** Nothing but white space since the beginning, or since a call or a thought has ended. */
  #isFresh: boolean;
  /** No content has been given out. */
  #isBeginning: boolean;

  constructor(form: MarkedForm, options: MarkedOptions) {
    this.#tools = options.tools;
    this.#form = form;
    this.#log = new EventLog(options.idOf);
    this.#begun = options.begun;
    this.#rest = options.begun;
    this.#isFresh = !options.goesOn;
    this.#isBeginning = !options.goesOn;
    if (options.opened !== undefined) this.#beginReasoning(options.opened);
  }

  push(text: string): readonly ReplyEvent[] {
    this.#rest += text;
    this.#advance(false);
    return this.#log.take();
  }

  end(): readonly ReplyEvent[] {
    this.#advance(true);
    if (this.#candidates !== undefined) this.#log.addCalls(this.#candidates.calls);
    else if (this.#reasoning === undefined && (!this.#isFresh || this.#isBeginning)) {
      this.#log.add("content", this.#content.end());
    }
    return this.#log.take();
  }

  #advance(isEnd: boolean): void {
    while (this.#step(isEnd)) {
      // Each step decides something.
    }
  }

  /** False where more text is needed. */
  #step(isEnd: boolean): boolean {
    if (this.#region !== undefined) return this.#readCall(this.#region, isEnd);
    if (this.#rest === "") return false;
    if (this.#candidates !== undefined) return this.#judgeCandidates(this.#candidates, isEnd);
    if (this.#reasoning !== undefined) return this.#readThought(this.#reasoning, isEnd);
    return this.#readContent(isEnd);
  }

  #readContent(isEnd: boolean): boolean {
    if (this.#isFresh) {
      const opening = this.#readOpening(isEnd);
      if (opening !== "none") return opening === "read";
    }
    const { silent } = this.#form;
    const marked = this.#markedCalls();
    const marks = [...marked.map(({ mark }) => mark), ...silent];
    const found = findFirst(this.#rest, marks);
    if (found === undefined) {
      const held = isEnd ? 0 : countPartialMark(this.#rest, marks);
      return this.#giveContent(this.#take(this.#rest.length - held));
    }
    this.#giveContent(this.#take(found.at));
    this.#take(found.mark.length);
    const syntax = marked.find(({ mark }) => mark === found.mark);
    if (syntax !== undefined) this.#beginCall(syntax, false);
    else this.#beginFresh();
    return true;
  }

  /** What counts at the beginning alone: a thought, or a call without a mark. */
  #readOpening(isEnd: boolean): "read" | "wait" | "none" {
    const space = spaceBefore(this.#rest);
    if (space > 0) {
      this.#content.hold(this.#take(space));
      return "read";
    }
    const bare = this.#isBeginning ? this.#form.calls.filter(({ isBare }) => isBare) : [];
    // ```tool_code is a mark, ``` alone a bare one.
    const longer = this.#markedCalls()
      .map(({ mark }) => mark)
      .filter((mark) => bare.some((each) => mark.startsWith(each.mark)));
    const marks = [
      ...this.#form.reasoning.map(({ open }) => open),
      ...bare.map(({ mark }) => mark),
      ...longer,
    ];
    if (!isEnd && marks.some((mark) => isBegun(mark, this.#rest))) return "wait";
    if (longer.some((mark) => this.#rest.startsWith(mark))) return "none";
    const reasoning = this.#form.reasoning.find(({ open }) => this.#rest.startsWith(open));
    if (reasoning !== undefined) {
      this.#take(reasoning.open.length);
      this.#beginReasoning(reasoning);
      return "read";
    }
    const syntax = bare.find(({ mark }) => this.#rest.startsWith(mark));
    if (syntax === undefined) return "none";
    this.#beginCall(syntax, false);
    return "read";
  }

  #readThought({ open, close }: ReasoningMarks, isEnd: boolean): boolean {
    if (this.#isFresh) {
      const space = spaceBefore(this.#rest);
      if (space > 0) return this.#take(space) !== "";
      if (!isEnd && isBegun(open, this.#rest)) return false;
      this.#isFresh = false;
      // The prompt has opened it, and the model does so again.
      if (this.#rest.startsWith(open)) return this.#take(open.length) !== "";
    }
    const marked = this.#markedCalls();
    const silent = marked.length > 0 ? this.#form.silent : [];
    const marks = [close, ...marked.map(({ mark }) => mark), ...silent];
    const found = findFirst(this.#rest, marks);
    if (found === undefined) {
      const held = isEnd ? 0 : countPartialMark(this.#rest, marks);
      return this.#giveThought(this.#take(this.#rest.length - held));
    }
    this.#giveThought(this.#take(found.at));
    this.#take(found.mark.length);
    const syntax = marked.find(({ mark }) => mark === found.mark);
    if (found.mark === close) this.#endReasoning();
    else if (syntax !== undefined) this.#beginCall(syntax, true);
    else this.#candidates = { calls: [], text: found.mark, isReasoningClosed: false };
    return true;
  }

  #readCall({ syntax, reader, isInReasoning, pieces }: Region, isEnd: boolean): boolean {
    const piece = this.#take(this.#rest.length);
    pieces.push(piece);
    const extent = reader.read(piece, isEnd);
    if (extent.kind === "open") return false;
    this.#region = undefined;
    const body = pieces.join("");
    if (extent.kind === "none") {
      this.#rest = body;
      const mark = syntax.isBare ? this.#take(syntax.mark.length) : syntax.mark;
      this.#giveBack(syntax, mark, isInReasoning);
      return true;
    }
    const { calls, rest } = extent;
    this.#rest = rest;
    const written = (syntax.isBare ? "" : syntax.mark) + body.slice(0, body.length - rest.length);
    if (calls === undefined) {
      this.#giveBack(syntax, written, isInReasoning);
    } else if (isInReasoning) {
      this.#candidates ??= { calls: [], text: "", isReasoningClosed: false };
      this.#candidates.text += written;
      this.#candidates.calls.push(...calls);
    } else {
      this.#log.addCalls(calls);
      this.#beginFresh();
    }
    return true;
  }

  #judgeCandidates(candidates: Candidates, isEnd: boolean): boolean {
    const space = spaceBefore(this.#rest);
    if (space > 0) return this.#addToCandidates(candidates, space);
    const close = this.#reasoning?.close ?? "";
    const { isReasoningClosed } = candidates;
    const marked = this.#markedCalls();
    const silent = isReasoningClosed ? [] : this.#form.silent;
    const all = [
      ...marked.map(({ mark }) => mark),
      ...silent,
      ...(isReasoningClosed ? [] : [close]),
    ];
    if (!isEnd && all.some((mark) => isBegun(mark, this.#rest))) return false;
    const found = all.find((mark) => this.#rest.startsWith(mark));
    const syntax = marked.find(({ mark }) => mark === found);
    if (found === undefined || (syntax !== undefined && isReasoningClosed)) {
      this.#dismiss(candidates);
    } else if (syntax !== undefined) {
      this.#take(found.length);
      this.#beginCall(syntax, true);
    } else if (found === close) {
      this.#take(found.length);
      candidates.isReasoningClosed = true;
    } else {
      return this.#addToCandidates(candidates, found.length);
    }
    return true;
  }

  #addToCandidates(candidates: Candidates, length: number): boolean {
    const text = this.#take(length);
    if (!candidates.isReasoningClosed) candidates.text += text;
    return true;
  }

  /** They were thoughts: the answer goes on. */
  #dismiss({ calls, text, isReasoningClosed }: Candidates): void {
    this.#candidates = undefined;
    this.#giveThought(text);
    for (const { name } of calls) {
      this.#log.addNotice(
        `the model wrote a call of ${name} among its thoughts and went on: it is not taken`,
      );
    }
    if (isReasoningClosed) this.#endReasoning();
  }

  /** A text that looked like a call. */
  #giveBack(syntax: CallSyntax, text: string, isInReasoning: boolean): void {
    const candidates = this.#candidates;
    if (candidates !== undefined) {
      candidates.text += text;
      this.#dismiss(candidates);
      return;
    }
    if (isInReasoning) {
      this.#giveThought(text);
      return;
    }
    this.#giveContent(text);
    if (syntax.isBare !== true) {
      const mark = syntax.mark.trim();
      this.#log.addNotice(
        `the model wrote ${mark} without a call that can be read: it is left in the text`,
      );
    }
  }

  #giveContent(text: string): boolean {
    if (text === "") return false;
    const own = text.startsWith(this.#begun) ? text.slice(this.#begun.length) : text;
    this.#begun = "";
    this.#isFresh = false;
    this.#isBeginning = false;
    this.#log.add("content", this.#content.push(own));
    return true;
  }

  #giveThought(text: string): boolean {
    if (text === "") return false;
    this.#log.add("reasoning", this.#thought.push(text));
    return true;
  }

  #beginReasoning(marks: ReasoningMarks): void {
    this.#reasoning = marks;
    this.#thought.drop("\n");
    this.#beginFresh();
  }

  #endReasoning(): void {
    this.#reasoning = undefined;
    this.#beginFresh();
  }

  #beginFresh(): void {
    this.#content.drop();
    this.#isFresh = true;
  }

  #beginCall(syntax: CallSyntax, isInReasoning: boolean): void {
    this.#region = { syntax, reader: syntax.createReader(this.#tools), isInReasoning, pieces: [] };
  }

  #markedCalls(): readonly CallSyntax[] {
    return this.#form.calls.filter(({ isBare }) => isBare !== true);
  }

  #take(length: number): string {
    const text = this.#rest.slice(0, length);
    this.#rest = this.#rest.slice(length);
    return text;
  }
}

/** Whether `text` may become the mark. */
function isBegun(mark: string, text: string): boolean {
  return text.length < mark.length && mark.startsWith(text);
}

function spaceBefore(text: string): number {
  return text.length - text.trimStart().length;
}
