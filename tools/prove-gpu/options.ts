/** The command line of prove:gpu: parsed, completed and judged. */
import { parseArgs } from "node:util";
import { OptionError } from "../../src/core/errors.ts";
import type { Mode } from "./result.ts";

export interface ProveOptions {
  readonly mode: Mode;
  /** "auto": the first hardware adapter; in short form a software one where there is no other. */
  readonly gpu: string;
  readonly out: string;
  /** Names of sections; absent: all. */
  readonly only?: readonly string[];
  readonly seconds: number;
  /** Where models are made; absent: a temporary folder. */
  readonly work?: string;
  /** Where a bundle is written; then nothing is proven. */
  readonly bundle?: string;
}

/** Seconds of all sections: what is not begun by then has failed. */
const wholeSeconds: Readonly<Record<Mode, number>> = { full: 360, short: 900 };

export const usage: string = `Proves on a graphics card what hearth promises, and measures it; results are written as they come.

npm run prove:gpu -- [options]
  --short           less of everything, for software drivers
  --gpu CHOICE      adapter as in hearth run (default: a card; with --short a software adapter where there is none)
  --out FOLDER      proof.json, proof.md and log.txt go there (build/prove-gpu)
  --only A,B        these sections alone
  --seconds N       of all sections (${wholeSeconds.full}; short: ${wholeSeconds.short})
  --work FOLDER     models are made there (a temporary folder that is removed)
  --bundle FILE     write FILE.tar.gz or .tar.xz instead: all that a Linux machine without Node needs to run this`;

export function parseOptions(args: readonly string[]): ProveOptions {
  const { values, positionals } = parse(args);
  if (positionals.length > 0) {
    throw new OptionError("prove:gpu", positionals.join(" "), "options alone, see --help");
  }
  const mode = values.short === true ? "short" : "full";
  const seconds = values.seconds === undefined ? wholeSeconds[mode] : Number(values.seconds);
  if (!(seconds > 0)) throw new OptionError("--seconds", values.seconds ?? "", "a number above 0");
  if (values.bundle !== undefined && !/\.tar\.[gx]z$/.test(values.bundle)) {
    throw new OptionError("--bundle", values.bundle, "a path that ends in .tar.gz or .tar.xz");
  }
  return {
    mode,
    gpu: values.gpu ?? "auto",
    out: values.out ?? "build/prove-gpu",
    ...(values.only !== undefined && { only: values.only.split(",") }),
    seconds,
    ...(values.work !== undefined && { work: values.work }),
    ...(values.bundle !== undefined && { bundle: values.bundle }),
  };
}

const text = { type: "string" } as const;

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        short: { type: "boolean" },
        gpu: text,
        out: text,
        only: text,
        seconds: text,
        work: text,
        bundle: text,
      },
    });
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    throw new OptionError("command line", found, "the options of --help");
  }
}
