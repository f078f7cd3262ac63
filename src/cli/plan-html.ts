/**
 * `hearth plan --html`: the page's view of plans as one file that needs no network and no server. Its plans are made before:
 * for this machine, or the one of --hardware, and the described cards, at some contexts.
 */
import { createHash } from "node:crypto";
import { basename } from "node:path";
import { HearthError } from "../core/errors.ts";
import { packagePath } from "../core/package-root.ts";
import type { Tokens } from "../core/units.ts";
import { ownVersion } from "../core/version.ts";
import {
  type BudgetPlansOptions,
  type PlannableMachine,
  planBudgets,
  plannableMachines,
} from "../index.ts";
import { readTextFile } from "../io/open-file.ts";

/** Each takes a pass of the planner for every machine, and some 50 kB. */
const mostContexts = 5;

export interface PlanFileRequest {
  readonly model: string;
  readonly options: BudgetPlansOptions;
  /** Of all plans, how many are made. */
  onProgress(done: number, total: number): void;
}

interface NamedMachine {
  /** "": this one. */
  readonly name: string;
  readonly processor: string;
  readonly card: { readonly name: string; readonly memory_bytes: number | null } | null;
  /** As the option names it. */
  readonly hardware: string | undefined;
}

/** @throws HearthError as planBudgets does for the machine and context that were asked for; the file says it of all others */
export async function planHtml({ model, options, onProgress }: PlanFileRequest): Promise<string> {
  const view = readView();
  const machines = await machinesFor(options);
  const asked = await planBudgets(model, options);
  const context = contextOf(asked.json);
  const contexts = thinned(asked.contexts, context);
  const total = machines.length * contexts.length;
  const plans: Record<string, (object | string)[]> = {};
  let done = 0;
  for (const [index, { name, hardware }] of machines.entries()) {
    const own: (object | string)[] = [];
    for (const contextLength of contexts) {
      const isAsked = index === 0 && contextLength === context;
      const wish = index === 0 ? options : elsewhere(options, hardware);
      own.push(isAsked ? asked.json : await planOrReason(model, { ...wish, contextLength }));
      onProgress(++done, total);
    }
    plans[name] = own;
  }
  const shown = machines.map(({ name, processor, card }) => ({ name, processor, card }));
  const name = basename(model).replace(/\.gguf$/i, "");
  const first = machines[0]?.name ?? "";
  return page(view, name, {
    model: name,
    hearth: ownVersion(),
    machines: shown,
    contexts,
    plans,
    machine: first,
    context,
  });
}

/** Without what is of the machine that was asked for. */
function elsewhere(options: BudgetPlansOptions, hardware: string | undefined): BudgetPlansOptions {
  const { vramBudget: _, gpu: __, hardware: ___, ...others } = options;
  return hardware === undefined ? others : { ...others, hardware };
}

/** What one of many cannot do is said where it would stand. */
async function planOrReason(model: string, options: BudgetPlansOptions): Promise<object | string> {
  try {
    return (await planBudgets(model, options)).json;
  } catch (error) {
    if (error instanceof HearthError) return error.message;
    throw error;
  }
}

/** The one that was asked for, then the described ones. */
async function machinesFor({ hardware }: BudgetPlansOptions): Promise<readonly NamedMachine[]> {
  const [own, ...described] = await plannableMachines(hardware === undefined ? {} : { hardware });
  const others = described.filter((one) => one.hardware !== hardware).map(named);
  if (own === undefined) return others;
  return [
    { ...named(own), name: hardware === undefined ? "" : basename(hardware), hardware },
    ...others,
  ];
}

function named({ hardware, processor, card }: PlannableMachine): NamedMachine {
  return {
    name: hardware ?? "",
    hardware,
    processor,
    card: card === undefined ? null : { name: card.name, memory_bytes: card.memoryBytes ?? null },
  };
}

function contextOf(json: object): Tokens {
  const { inputs } = json as { readonly inputs: { readonly context: Tokens } };
  return inputs.context;
}

/** So few that they can be planned at once; the first, the last and the one that was asked for are among them. */
function thinned(contexts: readonly Tokens[], asked: Tokens): readonly Tokens[] {
  const steps = Math.min(mostContexts, contexts.length) - 1;
  const chosen = new Set([asked]);
  for (let step = 0; step <= steps; step++) {
    const context = contexts[Math.round((step * (contexts.length - 1)) / Math.max(1, steps))];
    if (context !== undefined) chosen.add(context);
  }
  return [...chosen].sort((a, b) => a - b);
}

interface View {
  readonly script: string;
  readonly style: string;
  readonly licences: string;
}

/** As `npm run build` leaves it. @throws HearthError where it was not built */
function readView(): View {
  const read = (name: string): string => {
    try {
      return readTextFile(packagePath(`dist/plan-page/${name}`));
    } catch {
      const message = `--html needs ${name} of hearth's page, which cannot be read; npm run build makes it`;
      throw new HearthError(message);
    }
  };
  // Nothing inside may end the element that it stands in.
  const script = read("plan.js").replaceAll("</script", "<\\/script");
  return { script, style: read("plan.css"), licences: read("licenses.txt") };
}

/** The policy lets the file's own script and style run, and nothing be reached. */
function page({ script, style, licences }: View, model: string, plans: object): string {
  const policy = [
    "default-src 'none'",
    `script-src '${digest(script)}'`,
    `style-src '${digest(style)}'`,
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
  ].join("; ");
  const data = JSON.stringify(plans).replaceAll("<", "\\u003c");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escaped(model)}</title>
<!--
${licences.replaceAll("-->", "--")}-->
<style>${style}</style>
</head>
<body>
<noscript>This file needs JavaScript. It reaches nothing beyond itself.</noscript>
<div id="app"></div>
<script type="application/json" id="plans">${data}</script>
<script type="module">${script}</script>
</body>
</html>
`;
}

function digest(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
