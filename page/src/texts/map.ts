/** Texts of the neuron map. See texts.ts. */
import type { Unit } from "../plan/budget-plans.ts";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const digits = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

function percent(share: number): string {
  const value = 100 * share;
  return `${value > 0 && value < 10 ? tenths.format(value) : whole.format(value)} %`;
}

function bytes(count: number): string {
  const units = ["B", "KiB", "MiB", "GiB"];
  const at = count < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(count) / 10));
  return `${digits.format(count / 1024 ** at)} ${units[at]}`;
}

export function timeText(milliseconds: number): string {
  return milliseconds < 1
    ? `${whole.format(1000 * milliseconds)} µs`
    : `${digits.format(milliseconds)} ms`;
}

export const mapTexts = {
  title: "Neuron map",
  percent: (share: number): string => percent(share),
  bytes: (count: number): string => bytes(count),
  count: (value: number): string => whole.format(value),
  empty: {
    title: "Watch the neurons at work",
    text: "A language model is a stack of layers, each with thousands of neurons. For any one word most of them stay at rest, and a few do nearly all of the work, word after word. hearth computes only those that fire, and keeps the busiest on the graphics card. Write a message below, and this page shows which ones fire for each token of the answer.",
    again: "This answer was written while nobody looked, so nothing was recorded.",
    rewrite: "Write it again, and watch",
    waiting:
      "The prompt is being read. Its tokens are computed together, so the map begins with the answer.",
  },
  answer: {
    label: "The answer, token by token",
    hint: "Choose a token, or select some text, to see its neurons.",
    unshown: "not recorded",
    all: "Whole answer",
    first: "First token",
    previous: "Previous token",
    next: "Next token",
    play: "Play",
    pause: "Pause",
    scrub: "Token",
    token: (text: string) => `Token “${text}”`,
    several: (count: number) => `${whole.format(count)} tokens of it`,
    whole: (count: number) => `The whole answer, ${whole.format(count)} tokens`,
    live: "Following the answer",
  },
  numbers: {
    computed: "Neurons computed",
    experts: "Experts used",
    of: (active: number, all: number) => `${whole.format(active)} of ${whole.format(all)}`,
    unread: "Weights not read",
    read: (touched: number, dense: number) => `${bytes(touched)} read of ${bytes(dense)}`,
    hits: "Hits of the plan",
    hitsOf: (expected: number) => `computed on the card; the plan expected ${percent(expected)}`,
    half: "Half of the work is done by",
    halfOf: (unit: Unit): string => `of the ${unit}s`,
    usedOf: (used: number, all: number, active: number, neurons: number): string =>
      `${whole.format(used)} of ${whole.format(all)} experts, ${whole.format(active)} of ${whole.format(neurons)} neurons`,
    step: "Time of a token",
    steps: (perSecond: number) => `${whole.format(perSecond)} tokens/s in the model`,
    shared: (rows: number) =>
      `shared by ${whole.format(rows)} rows: other answers are written beside it`,
  },
  picture: {
    title: "Every neuron of the model",
    experts: "Every expert of the model",
    forgotten:
      "The neurons of so early a token are no longer kept one by one, as the answer is long; the whole answer’s counts have them.",
    label: (unit: Unit): string =>
      `Map of all ${unit}s. Arrow keys go from ${unit} to ${unit}, plus and minus zoom.`,
    rows: (unit: Unit): string =>
      `A band is a layer, the first one above; each cell is ${unit === "expert" ? "an expert" : "a neuron"}.`,
    rest: "at rest",
    cold: "computed on the processor",
    hot: "computed on the card",
    faint: "fired in the answer",
    bright: "fires in what is chosen",
    order: "Order",
    orders: { file: "as in the model", busy: "busiest first" },
    zoomIn: "Enlarge",
    zoomOut: "Make smaller",
    fit: "Show all",
    layer: (layer: number) => `Layer ${layer + 1}`,
    neuron: (layer: number, id: number, isExpert: boolean) =>
      `Layer ${layer + 1}, ${isExpert ? "expert" : "neuron"} ${whole.format(id)}`,
    fired: (count: number, tokens: number) =>
      `computed for ${whole.format(count)} of ${whole.format(tokens)} tokens (${percent(count / Math.max(1, tokens))})`,
    profile: (share: number) => `in the profile for ${percent(share)}`,
    onCard: "on the card",
    onCpu: "on the processor",
    uncounted:
      "A card counts its neurons together, so those that it holds are shown faintly, whether they fire or not; the numbers above have them.",
  },
  curve: {
    title: (unit: Unit): string => `Few ${unit}s do most of the work`,
    label: (unit: Unit, share: number, work: number) =>
      `Curve: the busiest ${percent(share)} of the ${unit}s do ${percent(work)} of the work of this answer`,
    x: (unit: Unit): string => `${unit}s, the busiest first`,
    y: "share of the work",
    answer: "this answer",
    profile: "by the profile’s order",
    cut: { neuron: "Neurons that a card holds", expert: "Experts that a card holds" },
    cutAt: (share: number): string => percent(share),
    planned: (unit: Unit, share: number, work: number) =>
      `The card holds ${percent(share)} of the ${unit}s: ${percent(work)} of this answer’s work.`,
    supposed: (unit: Unit, share: number, work: number) =>
      `A card with room for ${percent(share)} of the ${unit}s, the right ones, would do ${percent(work)} of this answer’s work.`,
    noProfile: (unit: Unit): string =>
      `There is no profile of this model: hearth profile counts which ${unit}s ${unit === "expert" ? "are used" : "fire"} over a text, and hearth plan places them by that.`,
  },
  time: {
    title: "Where the time goes",
    label: "Time of one token, in parts",
    now: "Computed",
    dense: (unit: Unit): string => `If all ${unit}s were computed`,
    estimate: "estimated, with as many bytes in a millisecond",
    rest: "attention and the rest",
    predictors: "predicting",
    units: { neuron: "neurons", expert: "experts" },
    timeline: "Both devices, in the last token",
    tracks: { gpu: "card", link: "link", cpu: "processor", waiting: "waiting" },
    saved: (unit: Unit, factor: number) =>
      `${digits.format(factor)} times as fast as with all ${unit}s`,
    untimed: "The card does not time single blocks.",
  },
  table: {
    title: "By layer, as a table",
    layer: "Layer",
    neurons: "Neurons",
    experts: "Experts",
    computed: "Computed",
    profile: "In the profile",
    hits: "On the card",
    bytes: "Read",
    time: "Time",
  },
  cost: (shown: number, all: number, size: number, spent: number, drawn: number): string =>
    `Looking costs: ${whole.format(shown)} of ${whole.format(all)} tokens were recorded, with ${bytes(size)} and ${timeText(spent)} a token${drawn === 0 ? "" : `; the picture took ${timeText(drawn)}`}.`,
  why: {
    gate: (activation: string) =>
      `This model’s activation (${activation}) gives exactly zero for a neuron at rest, and the first of its products shows it. The rest of such a neuron is not read, and nothing is lost.`,
    predicted:
      "A small predictor guesses before each layer which neurons will fire, and only those are computed.",
    threshold:
      "No activation of this model is exactly zero. Neurons that would add next to nothing are left out, by a threshold that was measured.",
    dense: (activation: string) =>
      `This model computes all of its neurons for every token: ${activation} is never exactly zero, and nobody measured yet which ones could be left out. So there are no single neurons to show, but where the time goes. hearth prepare measures it, and models of the ReLU family are sparse by themselves.`,
    experts: (used: number, count: number) =>
      `Each layer has ${whole.format(count)} experts, of which a router chooses ${whole.format(used)} for each token. Only those are computed, whole.`,
  },
} as const;
