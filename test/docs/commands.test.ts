/** Every `hearth …` command that README.md, docs/PAPER.md and docs/gpu.md name exists, with every flag they give it. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { command as program } from "../fixtures/packaged.ts";

const project = resolve(import.meta.dirname, "../..");
/** In backticks, or at the beginning of a line of a shell block. */
const inlinePattern = /`hearth ([a-z][a-z-]*)([^`\n]*)`/g;
const linePattern = /^hearth ([a-z][a-z-]*)(.*)$/gm;
const helps = new Map<string, string>();

function helpOf(command: string): string {
  const known = helps.get(command);
  if (known !== undefined) return known;
  const { stdout } = spawnSync(process.execPath, [program, command, "--help"], {
    encoding: "utf8",
  });
  helps.set(command, stdout);
  return stdout;
}

describe.each(["README.md", "docs/PAPER.md", "docs/gpu.md"])("the commands of %s", (page) => {
  const text = readFileSync(join(project, page), "utf8");
  const shell = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block).join("\n");
  const commands = [...text.matchAll(inlinePattern), ...shell.matchAll(linePattern)];

  it("exist with all their flags", () => {
    expect(commands.length).toBeGreaterThan(3);
    for (const [, command = "", rest = ""] of commands) {
      const help = helpOf(command);
      expect(help, `hearth ${command}`).toContain(`hearth ${command}`);
      const [line = ""] = rest.split("#");
      for (const [, flag = ""] of line.matchAll(/ (--?[a-z][a-z-]*)/g)) {
        // Whole words only: -p is not a part of --plot.
        const isListed = help.split(/[\s,[\]<>]+/).includes(flag);
        expect(isListed, `hearth ${command} ${flag}`).toBe(true);
      }
    }
  });
});
