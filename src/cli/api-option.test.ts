import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { ApiOption, addApiOptions, givenOptions } from "./api-option.ts";

const options = (): readonly ApiOption<"contextLength" | "threads" | "learn">[] => [
  new ApiOption("contextLength", "-c, --context <tokens>", "tokens", ["window"]).argParser(Number),
  new ApiOption("threads", "--threads <n>", "threads").argParser(Number),
  new ApiOption("learn", "--learn", "count neurons"),
];

interface Typed {
  readonly contextLength?: number;
  readonly threads?: number;
  readonly learn?: true;
  readonly json?: true;
}

function typed(...words: readonly string[]): Typed {
  const command = addApiOptions(new Command(), options()).option("--json", "print JSON");
  return command.parse(words, { from: "user" }).opts<Typed>();
}

describe("a flag for an option of the API", () => {
  it("keeps its value under the API's name", () => {
    expect(typed("-c", "64", "--learn")).toEqual({ contextLength: 64, learn: true });
  });

  it("is for its option and for further ones, and for no other", () => {
    const [context] = options();
    const names = ["contextLength", "window", "context", "threads"];
    expect(names.filter((name) => context?.isFor(name))).toEqual(["contextLength", "window"]);
  });

  it("is handed on when it was given, without the command's own flags", () => {
    expect(givenOptions(typed("--json", "--threads", "3"), options())).toEqual({ threads: 3 });
  });
});
