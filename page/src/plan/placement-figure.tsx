/**
 * Where each layer is: a column for each, by bytes; what is on the card stands above the line, what is on the processor hangs
 * below it. Shapes alone: names and numbers are text around them.
 */
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { texts } from "../texts.ts";
import { type LayerParts, layerRuns, type PlacedLayer, type Unit } from "./budget-plans.ts";

/** Of the picture's own units; it is stretched to its place. */
const half = 100;
/** Of a half, for the tallest column. */
const tallest = 0.94 * half;
/** Of a column's width that is empty between it and the next. */
const gap = 0.14;

export function PlacementFigure({
  layers,
  summary,
}: {
  readonly layers: readonly PlacedLayer[];
  readonly summary: string;
}): VNode {
  const [shown, setShown] = useState<number>();
  const most = layers.reduce(
    (found, { card, processor }) => Math.max(found, sum(card) + sum(processor)),
    1,
  );
  const layer = shown === undefined ? undefined : layers[shown];
  const follow = (event: PointerEvent): void => {
    const { left, width } = (event.currentTarget as Element).getBoundingClientRect();
    const at = Math.floor(((event.clientX - left) / width) * layers.length);
    setShown(Math.max(0, Math.min(layers.length - 1, at)));
  };
  return (
    <figure class="placement">
      <figcaption>
        <h2>{texts.plan.placement}</h2>
        <Legend unit={layers.at(-1)?.unit ?? "neuron"} />
      </figcaption>
      <p class="side-name">{texts.plan.onCard}</p>
      <div class="drawing">
        <svg
          viewBox={`0 0 ${layers.length} ${2 * half}`}
          preserveAspectRatio="none"
          role="img"
          aria-label={summary}
          onPointerMove={follow}
          onPointerDown={follow}
          onPointerLeave={() => setShown(undefined)}
        >
          {shown !== undefined && (
            <rect class="pointed" x={shown} y={0} width={1} height={2 * half} />
          )}
          {layers.map(({ card, processor }, index) => [
            ...stack(card, { x: index, most, direction: -1 }),
            ...stack(processor, { x: index, most, direction: 1 }),
          ])}
          <line class="waterline" x1={0} x2={layers.length} y1={half} y2={half} />
        </svg>
      </div>
      <p class="side-name">{texts.plan.onProcessor}</p>
      <p class="readout">
        {shown === undefined || layer === undefined
          ? texts.plan.layersBelow(layers.length)
          : texts.plan.layer(shown, layer)}
      </p>
      <LayerTable layers={layers} />
    </figure>
  );
}

const parts = ["attention", "cache", "units"] as const;

interface StackPlace {
  readonly x: number;
  readonly most: number;
  /** -1: upwards. */
  readonly direction: 1 | -1;
}

/** From the line outwards. */
function stack(bytes: LayerParts, { x, most, direction }: StackPlace): readonly VNode[] {
  let from = 0;
  return parts.flatMap((part) => {
    const height = (bytes[part] / most) * tallest;
    if (height === 0) return [];
    const y = direction > 0 ? half + from : half - from - height;
    from += height;
    return [
      <rect
        key={`${x}${part}${direction}`}
        class={part === "units" ? (direction > 0 ? "cold" : "hot") : part}
        x={x + gap / 2}
        y={y}
        width={1 - gap}
        height={height}
      />,
    ];
  });
}

function sum({ attention, cache, units }: LayerParts): number {
  return attention + cache + units;
}

function Legend({ unit }: { readonly unit: Unit }): VNode {
  const { attention, cache } = texts.plan.parts;
  const { hot, cold } = texts.plan.units[unit];
  const entries = Object.entries({ hot, cold, attention, cache });
  return (
    <ul class="legend">
      {entries.map(([part, name]) => (
        <li key={part} class={part}>
          {name}
        </li>
      ))}
    </ul>
  );
}

/** The same for who cannot see it, or wants the numbers: layers that are alike share a row. */
function LayerTable({ layers }: { readonly layers: readonly PlacedLayer[] }): VNode {
  const { head, place } = texts.plan.table;
  return (
    <details class="layer-table">
      <summary>{texts.plan.table.title}</summary>
      <div class="table" tabIndex={0} role="region" aria-label={texts.plan.table.title}>
        <table>
          <thead>
            <tr>
              {head.map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {layerRuns(layers).map(({ first, last, layer }) => (
              <tr key={first}>
                <th scope="row">{first === last ? first : `${first}–${last}`}</th>
                <td>{place(layer.isOnCard)}</td>
                <td>{layer.hot}</td>
                <td>{layer.units - layer.hot}</td>
                <td>{texts.plan.share(layer.units === 0 ? 0 : layer.hot / layer.units)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
