/** Every text of the interface, so that there is one place to read, change and translate them. */
import type { Failure } from "./api/failures.ts";
import { fieldTexts } from "./texts/fields.ts";
import { mapTexts } from "./texts/map.ts";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });

export const texts = {
  name: "hearth",
  views: { label: "Views", chat: "Chat", map: "Neurons", plan: "Plan" },
  map: mapTexts as typeof mapTexts,
  skip: "Skip to the conversation",
  close: "Close",
  cancel: "Cancel",
  chat: {
    transcript: "Conversation",
    you: "You",
    answer: (model: string | undefined): string => model ?? "Answer",
    tool: "Tool result",
    emptyTitle: "What would you like to know?",
    emptyText: "Answers are computed by this server. Conversations stay in this browser.",
    toEnd: "To the end",
    writing: "The answer is being written",
    thinking: "Thinking",
    thoughts: "Thoughts",
    waiting: (seconds: number) => `The server is busy. Asking again in ${seconds} s`,
    loading: (model: string) => `Loading ${model}`,
    reading: "Reading the conversation",
    read: (share: number) => `Reading the conversation, ${whole.format(100 * share)} %`,
    notFound: "This browser has no such conversation.",
  },
  message: {
    actions: "What to do with this message",
    copy: "Copy",
    copied: "Copied",
    edit: "Edit",
    regenerate: "Another answer",
    fork: "Continue from here in a new conversation",
    remove: "Delete from here on",
    removed: (count: number): string =>
      count === 1 ? "1 message was deleted." : `${count} messages were deleted.`,
    previous: "Previous branch",
    next: "Next branch",
    branch: (at: number, all: number) => `${at} / ${all}`,
    branchLabel: (at: number, all: number) => `Branch ${at} of ${all}`,
    editLabel: "Your message",
    sendEdited: "Send as a new branch",
    file: (name: string, characters: number) => `${name} (${whole.format(characters)} characters)`,
    call: (name: string) => `Calls ${name}`,
    callResult: (name: string) => `Result of ${name}`,
    giveResults: "Continue with these results",
    numbers: {
      speed: (perSecond: number) => `${tenths.format(perSecond)} tokens/s`,
      completion: (tokens: number) => `${whole.format(tokens)} tokens`,
      cached: (cached: number, prompt: number) =>
        `${whole.format(cached)} of ${whole.format(prompt)} prompt tokens cached`,
      promptSpeed: (perSecond: number) => `prompt read at ${whole.format(perSecond)} tokens/s`,
    },
    cut: "The answer reached its limit of tokens.",
    stopped: "Stopped.",
    elsewhere: "This answer is being written in another tab.",
    unfinished: "This answer was not finished: its page was closed meanwhile.",
    retry: "Try again",
    goOn: "Continue",
  },
  composer: {
    label: "Message",
    placeholder: "Write a message",
    send: "Send",
    stop: "Stop",
    attach: "Attach text files",
    detach: (name: string) => `Remove ${name}`,
    notText: (name: string) => `${name} is not a text file. Models here read text.`,
    tooLarge: (name: string) => `${name} is larger than 2 MB, more than any context holds.`,
    drop: "Drop text files to attach them",
  },
  sidebar: {
    label: "Conversations",
    open: "Show conversations",
    close: "Hide conversations",
    create: "New conversation",
    search: "Search conversations",
    none: "No conversations yet.",
    notFound: "Nothing found.",
    groups: { today: "Today", week: "Last seven days", earlier: "Earlier" },
    more: (title: string) => `More for ${title}`,
    rename: "Rename",
    renameLabel: "Title of the conversation",
    export: "Export",
    exportAll: "Export all",
    import: "Import",
    remove: "Delete",
    removed: (title: string) => `Deleted “${title}”`,
    undo: "Undo",
    imported: (count: number): string =>
      count === 1 ? "1 conversation was imported." : `${count} conversations were imported.`,
    notImported: (name: string) => `${name} holds no conversations of hearth.`,
    untitled: "Untitled",
    forget: "Dismiss",
  },
  model: {
    label: "Model",
    any: "The server’s model",
    none: "No models",
    unloaded: "loads when it is asked",
    loading: (share: number | undefined): string =>
      share === undefined ? "loading" : `loading, ${whole.format(share * 100)} %`,
  },
  meter: {
    label: "Context",
    used: (used: number, context: number) => `${whole.format(used)} / ${whole.format(context)}`,
    explained: (used: number, context: number) =>
      `${whole.format(used)} of ${whole.format(context)} tokens of the context are used`,
  },
  plan: {
    title: "What would a card bring?",
    lead: "Neurons that fire often go onto the graphics card, the others stay with the processor. See what goes where, how fast it will write, and what more memory would bring.",
    controls: "What is planned",
    machine: "Machine",
    machineName: ({ name, processor, card }: MachineText): string => {
      const whose = name === "" ? "This machine: " : "";
      const has = card === null ? "no graphics card" : cardText(card);
      return `${whose}${has}, ${processor}`;
    },
    budget: "Memory of the card",
    noBudget: "no card",
    finer: "finer steps follow",
    context: "Context",
    tokens: (count: number): string => `${whole.format(count)} tokens`,
    predicted: "Predicted speed",
    unit: "tokens/s predicted",
    figure: (perSecond: number): string => significant(perSecond),
    speed: (perSecond: number): string => `${significant(perSecond)} tokens/s`,
    gain: (perSecond: number): string => `+${significant(perSecond, 3)}`,
    together: (answers: number, perSecond: number): string =>
      answers === 1
        ? "For one answer, when its context is full."
        : `For ${whole.format(answers)} answers at once when their contexts are full, ` +
          `${significant(perSecond / answers)} for each.`,
    activations: (share: string): string => `${share} of the neurons that fire are on the card.`,
    noCard: "This machine has no graphics card: the processor does everything.",
    share: (share: number): string => `${tenths.format(100 * share)} %`,
    placement: "Where each layer goes",
    onCard: "↑ On the card",
    onProcessor: "↓ On the processor",
    layersBelow: (count: number): string =>
      `${whole.format(count)} layers, from the first to the last.`,
    layer: (index: number, { unit, units, hot, isOnCard }: LayerText): string =>
      `Layer ${index}: attention and KV cache on the ${isOnCard ? "card" : "processor"}, ` +
      `${whole.format(hot)} of ${whole.format(units)} ${unit}s on the card.`,
    summary: (
      { first_gpu_layer: first, gpu_activation_share: share }: PlanText,
      layers: number,
    ): string =>
      `${whole.format(layers - first)} of ${whole.format(layers)} layers have attention and KV cache on the card; ` +
      `${tenths.format(100 * share)} % of the neurons that fire are there.`,
    parts: {
      attention: "Attention",
      cache: "KV cache",
      vocabulary: "Vocabulary",
      rest: "The rest",
    },
    units: {
      neuron: { all: "Neurons", hot: "Hot neurons", cold: "Cold neurons" },
      expert: { all: "Experts", hot: "Experts on the card", cold: "Experts on the processor" },
    },
    table: {
      title: "All layers in numbers",
      head: ["Layers", "Attention", "On card", "On processor", "Share"],
      place: (isOnCard: boolean): string => (isOnCard ? "card" : "processor"),
    },
    curve: "Speed by memory of the card",
    curveSummary: (points: readonly PointText[]): string => {
      const [first, last] = [points[0], points.at(-1)];
      if (first === undefined || last === undefined) return "";
      const [from, to] = [first, last].map(
        (point) =>
          `${significant(point.predicted_tokens_per_second)} tokens/s with ${bytesText(point.budget_bytes)}`,
      );
      return `From ${from} to ${to}.`;
    },
    further: "What each further GiB brings",
    nothingFurther: "Everything is on the card: more memory brings nothing.",
    memory: "What they hold",
    devices: { gpu0: "Card", cpu: "Processor" },
    bytes: (count: number): string => bytesText(count),
    planning: "Planning",
    notUnderstood:
      "The server speaks of plans in a way that this page does not know: load the page again.",
    apply: "Load the model so",
    applying: (share: number | undefined): string =>
      share === undefined
        ? "Running answers are ended first, then the model is loaded."
        : `The model is being loaded: ${whole.format(share * 100)} %`,
    applied: "The model is loaded as planned.",
    notApplied: (reason: string): string => `${reason} The model runs as before.`,
    runsSo: "The model runs so now.",
    elsewhere: "This is another machine, by its data sheet: there is nothing to load here.",
    noKey: "To load it so, the server must know you: start it with a key (hearth serve --api-key).",
    file: {
      title: (model: string): string => `Where ${model} goes`,
      made: (version: string): string =>
        `Planned by hearth ${version}. Everything is in this file.`,
    },
  },
  connection: {
    connecting: "Connecting to the server",
    loading: "The server is loading its model.",
    away: "The server does not answer. What you wrote is kept here.",
    failed: (reason: string) => `The server cannot load its model: ${reason}`,
    again: "Try now",
    notKept: "This browser keeps nothing for this page: conversations end with this tab.",
  },
  login: {
    title: "This server wants a key",
    label: "Key",
    keep: "Keep it in this browser",
    enter: "Enter",
    wrong: "That is none of this server’s keys.",
    hint: "Whoever started the server chose it with --api-key.",
  },
  settings: {
    open: "Settings",
    title: "Settings",
    scope: "For this conversation",
    system: "System prompt",
    systemHint: "Said to the model before everything else.",
    keep: "Use for all new conversations",
    kept: "New conversations begin like this one.",
    reset: "Back to the server’s values",
    look: "Look",
    themes: { system: "As the system", light: "Light", dark: "Dark" },
    theme: "Colours",
    shortcuts: "Keyboard shortcuts",
    usual: (value: number) => `${value}`,
    left: "left to the server",
    groups: {
      answer: "The answer",
      sampling: "Sampling",
      repetition: "Against repetition",
      form: "Form and tools",
      other: "More",
    },
    wrong: {
      number: "A number is needed.",
      whole: "A whole number is needed.",
      range: "That is outside of what the server takes.",
      json: "That is no JSON.",
    },
    flags: { true: "yes", false: "no" },
    fields: fieldTexts as typeof fieldTexts,
  },
  shortcuts: {
    title: "Keyboard shortcuts",
    list: [
      ["Enter", "Send the message"],
      ["Shift + Enter", "Begin a new line"],
      ["Esc", "Stop the answer"],
      ["↑ in an empty message", "Edit the last message"],
      ["Ctrl + Shift + O", "New conversation"],
      ["Ctrl + K", "Search conversations"],
      ["Ctrl + ,", "Settings"],
      ["Ctrl + /", "Show these shortcuts"],
      ["Shift + Esc", "Go to the message field"],
    ] as readonly (readonly [keys: string, action: string])[],
  },
  markdown: {
    code: "Code",
    codeIn: (language: string) => `Code in ${language}`,
    copyCode: "Copy code",
    table: "Table",
    task: "Task",
    picture: (name: string): string =>
      name === "" ? "Picture (not loaded)" : `Picture: ${name} (not loaded)`,
  },
} as const;

interface CardText {
  readonly name: string;
  readonly memory_bytes: number | null;
}

interface MachineText {
  /** "": this one. */
  readonly name: string;
  readonly processor: string;
  readonly card: CardText | null;
}

interface LayerText {
  readonly unit: string;
  readonly units: number;
  readonly hot: number;
  readonly isOnCard: boolean;
}

interface PlanText {
  readonly first_gpu_layer: number;
  readonly gpu_activation_share: number;
}

interface PointText {
  readonly budget_bytes: number;
  readonly predicted_tokens_per_second: number;
}

function cardText({ name, memory_bytes: bytes }: CardText): string {
  return bytes === null ? name : `${name} (${bytesText(bytes)})`;
}

/** "10.5 GiB": three digits are enough to choose by. */
function bytesText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let [value, unit] = [bytes, 0];
  while (value >= 1024 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${significant(value, value >= 100 ? 4 : 3)} ${units[unit]}`;
}

function significant(value: number, digits = 4): string {
  const most = Math.max(digits, Math.ceil(Math.log10(Math.abs(value) + 1)));
  return new Intl.NumberFormat("en", { maximumSignificantDigits: Math.min(21, most) }).format(
    value,
  );
}

/** What went wrong, as a person would say it. */
export function failureText(failure: Failure): string {
  switch (failure.kind) {
    case "away":
      return "The server does not answer. It may have been stopped or be starting again.";
    case "locked":
      return "The server wants a key.";
    case "context":
      return (
        `This conversation has ${whole.format(failure.prompt)} tokens, and the model’s context holds ` +
        `${whole.format(failure.context)}. Edit or delete earlier messages, begin a new conversation, or start the ` +
        "server with a longer context (-c)."
      );
    case "busy":
      return `The server is busy: ${failure.message}`;
    case "unavailable":
      return `The server cannot answer now: ${failure.message}`;
    case "refused":
      return `The server refused this: ${failure.message}`;
    case "broken":
      return failure.message === undefined
        ? "The connection broke while the answer was being written. What came is kept."
        : `The answer broke off: ${failure.message}`;
    default:
      return failure satisfies never;
  }
}
