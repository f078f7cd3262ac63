/** `hearth chat` on a terminal, as `script` of util-linux gives it: what is pasted, typed over lines, asked for. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { command } from "../fixtures/packaged.ts";

const hasTerminal = process.platform === "linux" && spawnSync("script", ["--version"]).status === 0;

/** What readline clears the line with, then the prompt: no model writes that. */
const isPrompt = (text: string): boolean => text.includes("[0J> ");
const isFurther = (text: string): boolean => text.includes("[0J... ");

function startChat(flags: string) {
  const line = `"${process.execPath}" "${command}" chat --temp 0 -n 4 ${flags}`;
  const child = spawn("script", ["-qefc", line, "/dev/null"]);
  let seen = "";
  child.stdout.on("data", (text) => {
    seen += text;
  });
  return {
    type: (text: string) => child.stdin.write(text),
    /** What came since, up to and with what ends it. */
    until: async (isEnd: (text: string) => boolean): Promise<string> => {
      while (!isEnd(seen)) await once(child.stdout, "data");
      const text = seen;
      seen = "";
      return text;
    },
    closed: async (): Promise<unknown> => (await once(child, "close"))[0],
    rest: () => seen,
  };
}

/** The answers alone. */
function piped(input: string): string {
  const args = [command, "chat", "--temp", "0", "-n", "4", "--quiet"];
  return spawnSync(process.execPath, args, { encoding: "utf8", input }).stdout;
}

describe.skipIf(!hasTerminal)("a chat on a terminal (needs script of util-linux)", () => {
  it("takes a pasted text of several lines as one message, sent by Enter", async () => {
    const expected = piped('"""\nOnce upon\na time\nthere was\n"""\n').trimEnd();
    const chat = startChat("--quiet");
    expect(await chat.until(isPrompt)).toContain("\x1b[?2004h");
    chat.type("\x1b[200~Once upon\ra time\rthere was\x1b[201~");
    await chat.until((text) => text.includes("there was"));
    chat.type("\r");
    const shown = await chat.until(isPrompt);
    expect(shown.replaceAll("\r", "")).toContain(expected);
    // Had it been three messages, two more answers would follow.
    chat.type("/exit\r");
    expect(await chat.closed()).toBe(0);
    expect(chat.rest()).not.toContain(expected);
    expect(chat.rest()).toContain("\x1b[?2004l");
  });

  it('opens a message of several lines with """, shows that it goes on, and Ctrl-C drops it', async () => {
    const expected = piped('"""Once upon\na time"""\n').trimEnd();
    const chat = startChat("--quiet");
    await chat.until(isPrompt);
    chat.type('"""never mind\r');
    await chat.until(isFurther);
    chat.type("\x03");
    await chat.until(isPrompt);
    chat.type('"""Once upon\r');
    await chat.until(isFurther);
    chat.type('a time"""\r');
    expect((await chat.until(isPrompt)).replaceAll("\r", "")).toContain(expected);
    chat.type("\x04");
    expect(await chat.closed()).toBe(0);
  });

  it("shows its prompt where stderr goes to a file, and helps", async () => {
    const chat = startChat("2> /dev/null");
    await chat.until(isPrompt);
    chat.type("/help\r");
    const help = await chat.until(isPrompt);
    for (const word of ["/clear", "/exit", '"""', "Ctrl-C", "pasted"]) expect(help).toContain(word);
    chat.type("/exit\r");
    expect(await chat.closed()).toBe(0);
  });

  it("shows its prompt where stdout goes to a file", async () => {
    const chat = startChat("> /dev/null");
    await chat.until(isPrompt);
    chat.type("/exit\r");
    expect(await chat.closed()).toBe(0);
  });
});

describe("a chat over a pipe", () => {
  it('answers once for each line, and once for what stands between """', () => {
    expect(piped("Hello\nWorld\n").trimEnd().split("\n").length).toBeGreaterThan(1);
    const marks = '"""\none\ntwo\n"""\n';
    const inline = '"""one\ntwo"""\n';
    const open = '"""one\ntwo';
    expect(piped(inline)).toBe(piped(marks));
    expect(piped(open)).toBe(piped(marks));
    expect(piped("one\ntwo\n")).not.toBe(piped(marks));
  });

  it("goes on in another process, without reading its history again", () => {
    const folder = mkdtempSync(join(tmpdir(), "hearth-chat-"));
    const session = join(folder, "chat.state");
    const chat = (input: string) =>
      spawnSync(
        process.execPath,
        [command, "chat", "--temp", "0", "-n", "4", "--session", session],
        { encoding: "utf8", input },
      );
    const lines = piped("Hello\nWorld\n");
    const first = chat("Hello\n");
    const second = chat("World\n");
    expect(first.stdout + second.stdout).toBe(lines);
    expect(first.stderr).not.toContain("goes on");
    expect(second.stderr).toMatch(
      /chat\.state: the chat goes on after 1 turn; \d+ tokens are not read again/,
    );
    writeFileSync(session, "something else entirely");
    const wrong = chat("World\n");
    expect([wrong.status, wrong.stderr]).toEqual([
      1,
      expect.stringMatching(/magic: found "somethin"/),
    ]);
    expect(readFileSync(session, "utf8")).toBe("something else entirely");
    rmSync(folder, { recursive: true });
  });

  it("forgets the oldest turns of a full context and says so, answer after answer", () => {
    const args = [command, "chat", "--temp", "0", "-n", "8", "-c", "64"];
    const input = "Once upon a time there was a king who lived in a castle\n".repeat(6);
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", input });
    expect(status).toBe(0);
    expect(stderr).toMatch(
      /^hearth: the context is full: the (oldest turn is|\d oldest turns are) forgotten$/m,
    );
    expect(stderr).not.toMatch(/longer than the context|does not fit/);
  });
});
