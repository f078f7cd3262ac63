/** The answer as its tokens: each can be chosen, a selection of text chooses several, and a slider goes through them. */
import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Icon } from "../parts/icons.tsx";
import { texts } from "../texts.ts";
import type { Choice } from "./numbers.ts";
import type { Recording } from "./recording.ts";

export interface TokenStripProps {
  readonly recording: Recording;
  /** Counts what came, so that it is drawn anew. */
  readonly change: number;
  readonly choice: Choice | undefined;
  onChoose(choice: Choice | undefined): void;
}

/** Between two tokens of a film, in milliseconds. */
const filmStep = 160;

export function TokenStrip({ recording, choice, onChoose }: TokenStripProps): VNode {
  const labels = texts.map.answer;
  const { tokens, pieces } = recording;
  const strip = useRef<HTMLDivElement>(null);
  const [isPlaying, setPlaying] = useState(false);
  const last = tokens.length - 1;
  const at = choice === undefined ? last : choice.last;
  const go = (to: number): void => {
    const inside = Math.min(last, Math.max(0, to));
    onChoose({ first: inside, last: inside });
  };
  useEffect(() => {
    const follow = (): void => {
      const chosen = choiceIn(strip.current);
      if (chosen !== undefined) onChoose(chosen);
    };
    document.addEventListener("selectionchange", follow);
    return () => document.removeEventListener("selectionchange", follow);
  }, [onChoose]);
  useEffect(() => {
    if (!isPlaying) return;
    const timer = setTimeout(() => {
      if (choice !== undefined && choice.last >= last) setPlaying(false);
      else go(choice === undefined ? 0 : choice.last + 1);
    }, filmStep);
    return () => clearTimeout(timer);
  }, [isPlaying, choice, last]);
  useEffect(() => {
    const current = strip.current?.querySelector(".token.chosen:last-of-type, .token.chosen");
    if (choice !== undefined && choice.first === choice.last && current instanceof HTMLElement)
      keepInSight(strip.current, current);
    else if (choice === undefined && !recording.isEnded && strip.current !== null)
      strip.current.scrollTop = strip.current.scrollHeight;
  }, [choice, last]);
  let shown = -1;
  return (
    <section class="strip" aria-label={labels.label}>
      <div
        ref={strip}
        class="tokens"
        title={labels.hint}
        tabIndex={0}
        role="group"
        aria-label={labels.hint}
      >
        {pieces.map(({ text, token }, key) => {
          if (token === undefined)
            return (
              <span key={key} class="unshown" title={labels.unshown}>
                {text}
              </span>
            );
          const own = ++shown;
          const isChosen = choice !== undefined && own >= choice.first && own <= choice.last;
          return (
            <span
              key={key}
              class={isChosen ? "token chosen" : "token"}
              data-token={own}
              onClick={() => {
                if (getSelection()?.isCollapsed !== false) go(own);
              }}
            >
              {text}
            </span>
          );
        })}
      </div>
      <div class="scrubber">
        <button
          type="button"
          class="quiet"
          aria-label={isPlaying ? labels.pause : labels.play}
          title={isPlaying ? labels.pause : labels.play}
          onClick={() => {
            if (!isPlaying) go(at >= last ? 0 : at);
            setPlaying(!isPlaying);
          }}
        >
          <Icon name={isPlaying ? "pause" : "play"} />
        </button>
        <input
          type="range"
          min="0"
          max={Math.max(0, last)}
          step="1"
          value={at}
          aria-label={labels.scrub}
          aria-valuetext={choiceText(recording, choice)}
          onInput={({ currentTarget }) => {
            setPlaying(false);
            go(Number(currentTarget.value));
          }}
        />
        <button
          type="button"
          class="whole"
          aria-pressed={choice === undefined}
          onClick={() => {
            setPlaying(false);
            getSelection()?.removeAllRanges();
            onChoose(undefined);
          }}
        >
          {labels.all}
        </button>
      </div>
    </section>
  );
}

/** What the numbers are of. */
export function choiceText({ tokens, isEnded }: Recording, choice: Choice | undefined): string {
  const labels = texts.map.answer;
  if (choice === undefined) return isEnded ? labels.whole(tokens.length) : labels.live;
  if (choice.first < choice.last) return labels.several(choice.last - choice.first + 1);
  return labels.token(tokens[choice.first]?.text ?? "");
}

/** The tokens that the selection of text touches; undefined where it touches none. */
function choiceIn(strip: HTMLElement | null): Choice | undefined {
  const selection = getSelection();
  if (strip === null || selection === null || selection.isCollapsed) return undefined;
  const range = selection.getRangeAt(0);
  if (!range.intersectsNode(strip)) return undefined;
  const touched = [...strip.querySelectorAll<HTMLElement>("[data-token]")].filter(
    (one) => range.intersectsNode(one) && !isEdge(range, one),
  );
  const [first, last] = [touched[0], touched.at(-1)].map((one) => Number(one?.dataset["token"]));
  if (first === undefined || last === undefined || Number.isNaN(first)) return undefined;
  return { first, last };
}

/** A range that ends in front of a token's first letter, or begins behind its last one, only touches it. */
function isEdge(range: Range, token: Node): boolean {
  const own = document.createRange();
  own.selectNodeContents(token);
  return (
    range.compareBoundaryPoints(Range.START_TO_END, own) <= 0 ||
    range.compareBoundaryPoints(Range.END_TO_START, own) >= 0
  );
}

/** Scrolls the strip alone: the page stays where it is. */
function keepInSight(strip: HTMLElement | null, token: HTMLElement): void {
  if (strip === null) return;
  const top = token.offsetTop - strip.offsetTop;
  const isInside =
    top >= strip.scrollTop && top + token.offsetHeight <= strip.scrollTop + strip.clientHeight;
  if (!isInside) strip.scrollTop = top - strip.clientHeight / 2;
}
