/** Runs a window of text through a model, a step after the other, and says which rows of each step are text. */
import type { Session } from "../runtime/session.ts";
import type { TextWindow } from "./gather-windows.ts";

export interface WindowStep {
  /** Rows of the step that are no text, and those that are, behind them. */
  readonly from: number;
  readonly rows: number;
  /** Tokens of the window's text that have run. */
  readonly done: number;
}

/** Sequence 0 begins again. Steps without text are run and not shown. */
export async function* runWindow(
  session: Session,
  { tokens, bosRows }: TextWindow,
): AsyncGenerator<WindowStep, void, undefined> {
  session.cache.truncate(0, 0);
  for (let done = 0; done < tokens.length; ) {
    const begin = done;
    while (done < tokens.length && session.room > 0) session.add(0, tokens[done++] ?? 0);
    await session.run();
    const from = Math.max(0, bosRows - begin);
    const rows = done - begin - from;
    if (rows > 0) yield { from, rows, done: done - bosRows };
  }
}
