/**
 * The picture of all neurons, pixel by pixel: where cells are smaller than a pixel, it shows the strongest of them; where they
 * are larger, each is a square of its own. A neuron's strength is what was chosen (a token, a text), and beneath it, fainter,
 * the whole answer.
 */
import { type Colour, type MapColours, mixed } from "./colours.ts";
import type { Band, Layout, Window } from "./layout.ts";

/** What is drawn of a layer; arrays by the neuron's id. */
export interface DrawnLayer {
  /** By place: ids in the order that is shown; undefined: as in the file. */
  readonly order: Uint32Array | undefined;
  /** Tokens of the answer, and of the choice, that each was computed for. */
  readonly counts: Uint32Array;
  readonly chosen: Uint32Array;
  readonly hot: Uint8Array | undefined;
}

export interface Drawing {
  readonly layout: Layout;
  readonly window: Window;
  readonly layers: readonly DrawnLayer[];
  /** Tokens of the answer, and of the choice. */
  readonly tokens: number;
  readonly chosenTokens: number;
  readonly colours: MapColours;
}

/** Steps of strength: 0 rests, up to `faintest` of the answer alone, above of the choice. */
const levels = 64;
const faintest = 18;

/** A card counts no single neurons: where its own lie is seen all the same. */
const hotRest = 0.3;

/** From this many pixels on, cells have a gap between them. */
const gapFrom = 5;

export function drawMap(target: ImageData, drawing: Drawing): void {
  const { layout, window, layers, colours } = drawing;
  const pixels = new Uint32Array(target.data.buffer);
  const palette = paletteOf(colours);
  pixels.fill(packed(colours.ground));
  const scale = (target.width / layout.width) * window.zoom;
  layout.bands.forEach((band, at) => {
    const layer = layers[at];
    if (layer === undefined) return;
    const top = (band.top - window.y) * scale;
    const bottom = top + band.height * scale;
    if (bottom < 0 || top > target.height) return;
    const codes = codesOf(layer, drawing);
    const place: Place = { band, top, scale, left: -window.x * scale, width: layout.width * scale };
    if (place.width / band.columns >= 1 && (band.height * scale) / band.rows >= 1)
      drawCells(target, pixels, place, { order: layer.order, codes, palette });
    else drawDense(target, pixels, place, { order: layer.order, codes, palette });
  });
}

interface Place {
  readonly band: Band;
  /** In pixels of the target, as left and width. */
  readonly top: number;
  readonly left: number;
  readonly width: number;
  readonly scale: number;
}

interface Filling {
  readonly order: Uint32Array | undefined;
  /** By id. */
  readonly codes: Uint8Array;
  /** By code. */
  readonly palette: Uint32Array;
}

/** By id: twice the strength, and one more on the card. What fires once in a long answer is still seen. */
function codesOf({ counts, chosen, hot }: DrawnLayer, drawing: Drawing): Uint8Array {
  const codes = new Uint8Array(counts.length);
  const faint = byCount(drawing.tokens, { first: 1, last: faintest });
  const strong = byCount(drawing.chosenTokens, { first: faintest + 1, last: levels - 1 });
  for (let id = 0; id < counts.length; id++) {
    const own = chosen[id] ?? 0;
    const all = counts[id] ?? 0;
    let strength = 0;
    if (own > 0) strength = strong[Math.min(own, strong.length - 1)] ?? 0;
    else if (all > 0) strength = faint[Math.min(all, faint.length - 1)] ?? 0;
    codes[id] = 2 * strength + (hot?.[id] ?? 0);
  }
  return codes;
}

/** The strength of each count of `tokens`. */
function byCount(
  tokens: number,
  { first, last }: { readonly first: number; readonly last: number },
): Uint8Array {
  const all = Math.max(1, tokens);
  return Uint8Array.from({ length: all + 1 }, (_, count) =>
    Math.round(first + (last - first) * (count / all) ** 0.7),
  );
}

/** Cells of a pixel or more: each pixel asks which neuron it shows. */
function drawCells(target: ImageData, pixels: Uint32Array, place: Place, filling: Filling): void {
  const { band, top, left, width, scale } = place;
  const { order, codes, palette } = filling;
  const [cellWidth, cellHeight] = [width / band.columns, (band.height * scale) / band.rows];
  const hasGap = Math.min(cellWidth, cellHeight) >= gapFrom;
  const firstRow = Math.max(0, Math.floor(-top / cellHeight));
  const lastColumn = Math.min(band.columns - 1, Math.floor((target.width - left) / cellWidth));
  for (let column = Math.max(0, Math.floor(-left / cellWidth)); column <= lastColumn; column++) {
    const x0 = Math.max(0, Math.round(left + column * cellWidth));
    const x1 = Math.min(
      target.width,
      Math.round(left + (column + 1) * cellWidth) - (hasGap ? 1 : 0),
    );
    for (let row = firstRow; row < band.rows; row++) {
      const at = column * band.rows + row;
      if (at >= band.neurons) break;
      const y0 = Math.max(0, Math.round(top + row * cellHeight));
      if (y0 >= target.height) break;
      const y1 = Math.min(
        target.height,
        Math.round(top + (row + 1) * cellHeight) - (hasGap ? 1 : 0),
      );
      const id = order?.[at] ?? at;
      const colour = palette[codes[id] ?? 0] ?? 0;
      for (let y = y0; y < y1; y++)
        pixels.fill(colour, y * target.width + x0, y * target.width + x1);
    }
  }
}

/** Cells of less than a pixel: each neuron asks for its pixel, which shows the strongest. */
function drawDense(target: ImageData, pixels: Uint32Array, place: Place, filling: Filling): void {
  const { band, top, left, width, scale } = place;
  const { order, codes, palette } = filling;
  const y0 = Math.max(0, Math.floor(top));
  const y1 = Math.min(target.height, Math.ceil(top + band.height * scale));
  const rows = y1 - y0;
  if (rows <= 0) return;
  /** By pixel: 1 more than the largest code of its neurons, which is that of the strongest; 0: none lies there. */
  const strongest = new Uint8Array(rows * target.width);
  const [perColumn, perRow] = [width / band.columns, (band.height * scale) / band.rows];
  const lines = Int32Array.from({ length: band.rows }, (_, row) => {
    const y = Math.floor(top + row * perRow) - y0;
    return y >= 0 && y < rows ? y * target.width : -1;
  });
  for (let column = 0, first = 0; column < band.columns; column++, first += band.rows) {
    const x = Math.floor(left + column * perColumn);
    if (x < 0 || x >= target.width) continue;
    const count = Math.min(band.rows, band.neurons - first);
    for (let row = 0; row < count; row++) {
      const line = lines[row] ?? -1;
      if (line < 0) continue;
      const at = first + row;
      const code = codes[order === undefined ? at : (order[at] ?? at)] ?? 0;
      if (code >= (strongest[line + x] ?? 0)) strongest[line + x] = code + 1;
    }
  }
  const begin = y0 * target.width;
  const [from, to] = [Math.max(0, Math.ceil(left)), Math.min(target.width, left + width)];
  // Pixels between wide cells take the colour of the one beside them.
  for (let line = 0; line < strongest.length; line += target.width) {
    for (let pixel = line + from; pixel < line + to; pixel++) {
      const code = strongest[pixel] ?? 0;
      if (code > 0) pixels[begin + pixel] = palette[code - 1] ?? 0;
      else if (pixel > line) pixels[begin + pixel] = pixels[begin + pixel - 1] ?? 0;
    }
  }
}

/** By code. What rests on the card has a little of its colour. */
function paletteOf({ resting, hot, cold }: MapColours): Uint32Array {
  return Uint32Array.from({ length: 2 * levels }, (_, code) => {
    const [strength, isHot] = [code >> 1, (code & 1) === 1];
    return packed(mixed(resting, isHot ? hot : cold, shareOf(strength, isHot ? hotRest : 0)));
  });
}

/** Of the colour; `rest`: what a neuron at rest has. */
function shareOf(strength: number, rest: number): number {
  if (strength === 0) return rest;
  if (strength <= faintest) return 0.08 + (0.17 * strength) / faintest;
  return 0.2 + (0.8 * (strength - faintest - 1)) / (levels - faintest - 2);
}

/** As pixels lie in memory on little-endian machines, which browsers run on. */
function packed([red, green, blue]: Colour): number {
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}
