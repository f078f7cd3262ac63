/** The picture of all neurons: drawn when something changed, zoomed by wheel, fingers and keys, read out where one points. */
import type { VNode } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Icon } from "../parts/icons.tsx";
import { texts } from "../texts.ts";
import { mapColours } from "./colours.ts";
import { type DrawnLayer, drawMap } from "./draw-map.ts";
import {
  type Layout,
  layoutOf,
  middleOf,
  type Place,
  placeAt,
  type Window,
  whole,
  within,
  zoomed,
} from "./layout.ts";
import type { Choice } from "./numbers.ts";
import { chosenCounts, orderOf } from "./numbers.ts";
import type { Recording } from "./recording.ts";

export type Order = "file" | "busy";

export interface NeuronCanvasProps {
  readonly recording: Recording;
  /** Counts what came, so that it is drawn anew. */
  readonly change: number;
  readonly choice: Choice | undefined;
  readonly order: Order;
  /** How long drawing took, in milliseconds. */
  onDrawn(took: number): void;
}

/** In pixels of the page. */
const lowest = 180;
const tallest = 560;

export function NeuronCanvas(props: NeuronCanvasProps): VNode {
  const { recording, change, choice, order, onDrawn } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  const [window, setWindow] = useState<Window>(whole);
  const [cursor, setCursor] = useState<Place>();
  const scheme = useScheme();
  const height = heightOf(recording, width);
  const layout = layoutOf(
    recording.counts.map(({ length }) => length),
    Math.max(1, width),
    height,
  );
  const orders = useRef<readonly Uint32Array[] | undefined>(undefined);
  if (order === "file") orders.current = undefined;
  else orders.current ??= ordersOf(recording);
  useLayoutEffect(() => {
    const element = canvas.current?.parentElement;
    if (element === null || element === undefined) return;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    setWidth(element.clientWidth);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    if (width === 0) return;
    const frame = requestAnimationFrame(() => {
      const startedAt = performance.now();
      const chosen = chosenCounts(recording, choice);
      const layers = recording.counts.map((counts, layer): DrawnLayer => {
        const own = chosen[layer] ?? counts;
        const hot = recording.facts.layers[layer]?.hot;
        return { order: orders.current?.[layer], counts, chosen: own, hot };
      });
      const chosenTokens =
        choice === undefined ? recording.tokens.length : choice.last - choice.first + 1;
      draw(canvas.current, {
        layout,
        window,
        layers,
        tokens: recording.tokens.length,
        chosenTokens,
        cursor,
      });
      onDrawn(performance.now() - startedAt);
    });
    return () => cancelAnimationFrame(frame);
  }, [recording, change, choice, order, width, height, window, cursor, scheme]);
  const pan = usePointer({ canvas, layout, window, setWindow, setCursor });
  const middle = { x: width / 2, y: height / 2 };
  const scale = (factor: number): void => setWindow((old) => zoomed(layout, old, factor, middle));
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = keySteps[event.key];
    if (step !== undefined) {
      const next = moved(layout, cursor, step);
      setCursor(next);
      setWindow((old) => containing(layout, old, next));
    } else if (event.key === "+" || event.key === "=") scale(1.5);
    else if (event.key === "-") scale(1 / 1.5);
    else if (event.key === "0") setWindow(whole);
    else return;
    event.preventDefault();
  };
  return (
    <div class="picture">
      <div
        class="plane"
        role="application"
        tabIndex={0}
        aria-label={texts.map.picture.label(recording.facts.unit)}
        aria-describedby="neuron-cursor"
        onKeyDown={onKeyDown}
      >
        <canvas ref={canvas} height={Math.round(height)} {...pan} />
      </div>
      <LayerNames layout={layout} window={window} />
      <div class="below">
        <p id="neuron-cursor" class="cursor" role="status">
          {cursor === undefined
            ? texts.map.picture.rows(recording.facts.unit)
            : described(recording, cursor, orders.current?.[cursor.layer])}
        </p>
        <div class="zoom" role="group" aria-label={texts.map.picture.fit}>
          <ZoomButton icon="plus" label={texts.map.picture.zoomIn} onClick={() => scale(2)} />
          <ZoomButton icon="minus" label={texts.map.picture.zoomOut} onClick={() => scale(0.5)} />
          {window.zoom > 1 && (
            <ZoomButton icon="fit" label={texts.map.picture.fit} onClick={() => setWindow(whole)} />
          )}
        </div>
      </div>
    </div>
  );
}

interface LayerNamesProps {
  readonly layout: Layout;
  readonly window: Window;
}

/** In pixels: names are no nearer to one another. */
const namesApart = 15;

function LayerNames({ layout, window }: LayerNamesProps): VNode {
  const { bands, height } = layout;
  const each = (height / Math.max(1, bands.length)) * window.zoom;
  const step = Math.max(1, Math.ceil(namesApart / each));
  return (
    <svg class="layer-names" width={namesWidth} height={height} aria-hidden="true">
      {bands.map((band, layer) =>
        layer % step === 0 ? (
          <text
            key={layer}
            x={namesWidth - 8}
            y={(band.top + band.height / 2 - window.y) * window.zoom + 4}
          >
            {layer + 1}
          </text>
        ) : null,
      )}
    </svg>
  );
}

/** Beside the canvas, in pixels of the page; map.css has the same. */
const namesWidth = 28;

interface ZoomButtonProps {
  readonly icon: "plus" | "minus" | "fit";
  readonly label: string;
  onClick(): void;
}

function ZoomButton({ icon, label, onClick }: ZoomButtonProps): VNode {
  return (
    <button type="button" class="quiet" aria-label={label} title={label} onClick={onClick}>
      <Icon name={icon} />
    </button>
  );
}

const keySteps: Readonly<Record<string, { readonly column: number; readonly row: number }>> = {
  ArrowLeft: { column: -1, row: 0 },
  ArrowRight: { column: 1, row: 0 },
  ArrowUp: { column: 0, row: -1 },
  ArrowDown: { column: 0, row: 1 },
};

/** One cell further; over the edge of a band into the next layer. */
function moved(
  { bands }: Layout,
  cursor: Place | undefined,
  step: { readonly column: number; readonly row: number },
): Place {
  const { layer, at } = cursor ?? { layer: 0, at: 0 };
  const band = bands[layer];
  if (cursor === undefined || band === undefined) return { layer: 0, at: 0 };
  const column = Math.floor(at / band.rows) + step.column;
  const row = (at % band.rows) + step.row;
  const next = bands[layer + step.row];
  if ((row < 0 || row >= band.rows) && next !== undefined) {
    const across = Math.min(next.columns - 1, Math.round((column / band.columns) * next.columns));
    const inside = across * next.rows + (step.row > 0 ? 0 : next.rows - 1);
    return { layer: layer + step.row, at: Math.min(next.neurons - 1, inside) };
  }
  const inside = column * band.rows + Math.min(band.rows - 1, Math.max(0, row));
  return inside < 0 || inside >= band.neurons ? { layer, at } : { layer, at: inside };
}

function containing(layout: Layout, window: Window, place: Place): Window {
  const { x, y } = middleOf(layout, place);
  const [width, height] = [layout.width / window.zoom, layout.height / window.zoom];
  const isInside = x >= window.x && x < window.x + width && y >= window.y && y < window.y + height;
  if (isInside) return window;
  return within(layout, { x: x - width / 2, y: y - height / 2, zoom: window.zoom });
}

function described(
  recording: Recording,
  { layer, at }: Place,
  order: Uint32Array | undefined,
): string {
  const id = order?.[at] ?? at;
  const facts = recording.facts.layers[layer];
  const labels = texts.map.picture;
  const parts = [
    labels.neuron(layer, id, facts?.experts !== undefined),
    labels.fired(recording.counts[layer]?.[id] ?? 0, recording.tokens.length),
  ];
  if (facts?.profile !== undefined) parts.push(labels.profile(facts.profile[id] ?? 0));
  if (facts?.hot !== undefined) parts.push(facts.hot[id] === 1 ? labels.onCard : labels.onCpu);
  return parts.join(" · ");
}

/** By the profile where there is one: the order in which a plan takes them. */
function ordersOf({ facts, counts }: Recording): readonly Uint32Array[] {
  return counts.map((own, layer) => orderOf(facts.layers[layer]?.profile ?? own));
}

/** Bands of few layers are not taller than needed; of many, each has some pixels. */
function heightOf({ counts }: Recording, width: number): number {
  const neurons = counts.reduce((sum, { length }) => sum + length, 0);
  const perCell = width < 600 ? 25 : 72;
  const wished = Math.max((neurons * perCell) / Math.max(1, width), counts.length * 6);
  return Math.round(Math.min(tallest, Math.max(lowest, wished)));
}

interface Picture {
  readonly layout: Layout;
  readonly window: Window;
  readonly layers: readonly DrawnLayer[];
  readonly tokens: number;
  readonly chosenTokens: number;
  readonly cursor: Place | undefined;
}

function draw(canvas: HTMLCanvasElement | null, { cursor, ...picture }: Picture): void {
  const context = canvas?.getContext("2d");
  if (!canvas || !context) return;
  const ratio = Math.min(2, devicePixelRatio);
  const { layout, window } = picture;
  const [width, height] = [Math.round(layout.width * ratio), Math.round(layout.height * ratio)];
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const image = context.createImageData(width, height);
  const colours = mapColours();
  drawMap(image, { ...picture, colours });
  context.putImageData(image, 0, 0);
  if (cursor === undefined) return;
  const band = layout.bands[cursor.layer];
  if (band === undefined) return;
  const scale = ratio * window.zoom;
  const { x, y } = middleOf(layout, cursor);
  const size = Math.max(6 * ratio, (layout.width / band.columns) * scale);
  context.strokeStyle = `rgb(${colours.mark.join(" ")})`;
  context.lineWidth = 1.5 * ratio;
  context.strokeRect(
    (x - window.x) * scale - size / 2,
    (y - window.y) * scale - size / 2,
    size,
    size,
  );
}

interface PointerParts {
  readonly canvas: { readonly current: HTMLCanvasElement | null };
  readonly layout: Layout;
  readonly window: Window;
  setWindow(change: (old: Window) => Window): void;
  setCursor(place: Place | undefined): void;
}

interface PointerHandlers {
  onPointerDown(event: PointerEvent): void;
  onPointerMove(event: PointerEvent): void;
  onPointerUp(event: PointerEvent): void;
  onPointerCancel(event: PointerEvent): void;
  onPointerLeave(event: PointerEvent): void;
}

/** Dragging moves an enlarged picture, two fingers and the wheel with Ctrl enlarge it; else the page scrolls as ever. */
function usePointer({
  canvas,
  layout,
  window,
  setWindow,
  setCursor,
}: PointerParts): PointerHandlers {
  const down = useRef(new Map<number, { x: number; y: number }>());
  const latest = useRef(layout);
  latest.current = layout;
  useEffect(() => {
    const element = canvas.current;
    const onWheel = (event: WheelEvent): void => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const around = { x: event.offsetX, y: event.offsetY };
      setWindow((old) => zoomed(latest.current, old, Math.exp(-event.deltaY / 200), around));
    };
    element?.addEventListener("wheel", onWheel, { passive: false });
    return () => element?.removeEventListener("wheel", onWheel);
  }, [canvas]);
  const up = (event: PointerEvent): void => {
    down.current.delete(event.pointerId);
  };
  return {
    onPointerDown(event) {
      down.current.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
      setCursor(placeAt(layout, window, { x: event.offsetX, y: event.offsetY }));
      if (window.zoom > 1) canvas.current?.setPointerCapture(event.pointerId);
    },
    onPointerMove(event) {
      const now = { x: event.offsetX, y: event.offsetY };
      const before = down.current.get(event.pointerId);
      if (before === undefined) {
        if (event.pointerType === "mouse") setCursor(placeAt(layout, window, now));
        return;
      }
      const [other] = [...down.current]
        .filter(([id]) => id !== event.pointerId)
        .map(([, at]) => at);
      down.current.set(event.pointerId, now);
      if (other === undefined) {
        setWindow((old) =>
          within(layout, {
            x: old.x - (now.x - before.x) / old.zoom,
            y: old.y - (now.y - before.y) / old.zoom,
            zoom: old.zoom,
          }),
        );
        return;
      }
      const apart = (at: { x: number; y: number }): number =>
        Math.hypot(at.x - other.x, at.y - other.y);
      const around = { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 };
      setWindow((old) => zoomed(layout, old, apart(now) / Math.max(1, apart(before)), around));
    },
    onPointerUp: up,
    onPointerCancel: up,
    onPointerLeave: up,
  };
}

/** Changes when the page's colours do. */
function useScheme(): number {
  const [scheme, setScheme] = useState(0);
  useEffect(() => {
    const change = (): void => setScheme((old) => old + 1);
    const media = matchMedia("(prefers-color-scheme: dark)");
    const observer = new MutationObserver(change);
    media.addEventListener("change", change);
    observer.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    return () => {
      media.removeEventListener("change", change);
      observer.disconnect();
    };
  }, []);
  return scheme;
}
