/**
 * Where each neuron lies in the picture. A layer is a band; its neurons fill columns of `rows` cells from left to right, so
 * that cells are about square. All in pixels of the picture at zoom 1; a window of it is shown.
 */

export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly bands: readonly Band[];
}

export interface Band {
  readonly top: number;
  readonly height: number;
  readonly neurons: number;
  readonly rows: number;
  readonly columns: number;
}

/** Which part is shown: its left upper corner in the picture, and how many times it is enlarged. */
export interface Window {
  readonly x: number;
  readonly y: number;
  readonly zoom: number;
}

export const whole: Window = { x: 0, y: 0, zoom: 1 };

export interface Place {
  readonly layer: number;
  /** The place among the layer's neurons in the order that is shown. */
  readonly at: number;
}

/** Of the height of a band. */
const gap = 0.12;

export function layoutOf(counts: readonly number[], width: number, height: number): Layout {
  const each = height / Math.max(1, counts.length);
  const bands = counts.map((neurons, layer): Band => {
    const own = each * (1 - gap);
    const rows = Math.max(1, Math.round(Math.sqrt((neurons * own) / width)));
    const columns = Math.max(1, Math.ceil(neurons / rows));
    return { top: layer * each + (each * gap) / 2, height: own, neurons, rows, columns };
  });
  return { width, height, bands };
}

/** The neuron at a point of the picture's window. */
export function placeAt(
  { bands, width }: Layout,
  window: Window,
  point: { readonly x: number; readonly y: number },
): Place | undefined {
  const x = window.x + point.x / window.zoom;
  const y = window.y + point.y / window.zoom;
  const layer = bands.findIndex(({ top, height }) => y >= top && y < top + height);
  const band = bands[layer];
  if (band === undefined || x < 0 || x >= width) return undefined;
  const column = Math.floor((x / width) * band.columns);
  const row = Math.min(band.rows - 1, Math.floor(((y - band.top) / band.height) * band.rows));
  const at = column * band.rows + row;
  return at < band.neurons ? { layer, at } : undefined;
}

/** The middle of a neuron's cell, in the picture. */
export function middleOf({ bands, width }: Layout, { layer, at }: Place): { x: number; y: number } {
  const band = bands[layer];
  if (band === undefined) return { x: 0, y: 0 };
  const column = Math.floor(at / band.rows);
  const row = at % band.rows;
  return {
    x: ((column + 0.5) / band.columns) * width,
    y: band.top + ((row + 0.5) / band.rows) * band.height,
  };
}

const maxZoom = 64;

/** Enlarged around a point of the window, which stays where it is. */
export function zoomed(
  { width, height }: Layout,
  window: Window,
  factor: number,
  around: { readonly x: number; readonly y: number },
): Window {
  const zoom = Math.min(maxZoom, Math.max(1, window.zoom * factor));
  const x = window.x + around.x / window.zoom - around.x / zoom;
  const y = window.y + around.y / window.zoom - around.y / zoom;
  return within({ width, height }, { x, y, zoom });
}

/** No further than the picture's edges. */
export function within(
  { width, height }: Pick<Layout, "width" | "height">,
  { x, y, zoom }: Window,
): Window {
  const inside = (at: number, size: number): number =>
    Math.min(Math.max(0, at), size - size / zoom);
  return { x: inside(x, width), y: inside(y, height), zoom };
}
