/** A slider over the places of a list, with what its place means beside it: read out, too. */
import type { VNode } from "preact";
import { useId } from "preact/hooks";

export interface SliderFieldProps {
  readonly label: string;
  readonly value: number;
  readonly count: number;
  readonly text: string;
  /** Behind its label. */
  readonly note?: string | undefined;
  readonly onValue: (place: number) => void;
}

export function SliderField({ label, value, count, text, note, onValue }: SliderFieldProps): VNode {
  const id = useId();
  return (
    <div class="control slider">
      <span>
        <label for={id}>{label}</label> {note !== undefined && <span class="hint">{note}</span>}
      </span>
      <output for={id}>{text}</output>
      <input
        id={id}
        type="range"
        min={0}
        max={Math.max(0, count - 1)}
        step={1}
        value={value}
        disabled={count < 2}
        aria-valuetext={text}
        onInput={({ currentTarget }) => onValue(Number(currentTarget.value))}
      />
    </div>
  );
}
