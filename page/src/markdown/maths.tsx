/** A formula as MathML, which browsers draw themselves. Its library comes when the first formula does. */
import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

export interface MathsProps {
  readonly tex: string;
  readonly isBlock: boolean;
}

/** Bounds of a formula that a model wrote: its sizes in em, and how often macros are put in. */
const bounds = {
  trust: false,
  strict: false,
  maxSize: [50, 10] as [number, number],
  maxExpand: 500,
};

/** Until it is drawn, and where it cannot be, its source is shown. */
export function Maths({ tex, isBlock }: MathsProps): VNode {
  const place = useRef<HTMLSpanElement>(null);
  const [isDrawn, setDrawn] = useState(false);
  useEffect(() => {
    let isGone = false;
    void draw(tex, isBlock).then((drawn) => {
      if (isGone) return;
      if (drawn !== undefined) place.current?.replaceChildren(...drawn.childNodes);
      setDrawn(drawn !== undefined);
    });
    return () => {
      isGone = true;
    };
  }, [tex, isBlock]);
  return (
    <span class={isBlock ? "maths block" : "maths"}>
      <span ref={place} hidden={!isDrawn} />
      {!isDrawn && <code>{tex}</code>}
    </span>
  );
}

/** Undefined for what is no TeX. */
async function draw(tex: string, displayMode: boolean): Promise<HTMLElement | undefined> {
  try {
    const { default: temml } = await import("temml");
    const drawn = document.createElement("span");
    temml.render(tex, drawn, { ...bounds, displayMode, throwOnError: true });
    return drawn;
  } catch {
    return undefined;
  }
}
