/** Colours of the picture: a canvas knows no style sheet. Hot is the accent's hue, cold a blue of the same lightness. */

export type Colour = readonly [red: number, green: number, blue: number];

export interface MapColours {
  readonly ground: Colour;
  /** A neuron that rested. */
  readonly resting: Colour;
  /** On the card, and on the CPU. */
  readonly hot: Colour;
  readonly cold: Colour;
  readonly mark: Colour;
}

const light: MapColours = {
  ground: [253, 252, 250],
  resting: [238, 233, 226],
  hot: [196, 66, 16],
  cold: [22, 92, 172],
  mark: [37, 33, 30],
};

const dark: MapColours = {
  ground: [25, 23, 22],
  resting: [40, 37, 35],
  hot: [255, 150, 92],
  cold: [110, 184, 255],
  mark: [236, 231, 226],
};

export function mapColours(): MapColours {
  const theme = document.documentElement.dataset["theme"];
  const isDark =
    theme === undefined ? matchMedia("(prefers-color-scheme: dark)").matches : theme === "dark";
  return isDark ? dark : light;
}

/** `share` of the way from one to the other. */
export function mixed(from: Colour, to: Colour, share: number): Colour {
  const part = (at: 0 | 1 | 2): number => Math.round(from[at] + (to[at] - from[at]) * share);
  return [part(0), part(1), part(2)];
}
