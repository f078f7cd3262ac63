/** A chat's answers that call functions: asked for, run without a shell, and given back to the model. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ChatGeneration, type ChatMessage, FileFormatError, type ToolCall } from "../index.ts";
import { writeAnswer } from "./chat-answer.ts";
import { commandLine, runCommand } from "./run-tool.ts";
import { type DeclaredTool, readToolFile } from "./tool-file.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "hearth-tools-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Writes what it was given: its arguments as a list, and its input. */
const echo =
  "let t='';process.stdin.on('data',(d)=>{t+=d}).on('end',()=>console.log(JSON.stringify([process.argv.slice(1),t])))";
const node = process.execPath;
const tool: DeclaredTool = { name: "show", command: [node, "-e", echo, "--", "{path}", "a{path}"] };

/** Answers in turn: each with calls, or with a text. */
function answers(...turns: readonly (readonly ToolCall[] | string)[]) {
  const asked: (readonly ChatMessage[])[] = [];
  const begin = (messages: readonly ChatMessage[]): ChatGeneration => {
    const turn = turns[asked.length] ?? "";
    asked.push(messages);
    const content = typeof turn === "string" ? turn : "";
    const toolCalls = typeof turn === "string" ? [] : turn;
    const events = [{ kind: "content", text: content }];
    return {
      async *[Symbol.asyncIterator]() {
        yield { text: content, events };
      },
      result: Promise.resolve({
        finishReason: "stop",
        reply: { content, reasoning: "", toolCalls, notices: [] },
      }),
    } as unknown as ChatGeneration;
  };
  return { asked, begin };
}

const question: ChatMessage = { role: "user", content: "Hi" };
const call: ToolCall = { id: "c1", name: "show", arguments: '{"path": "a b; $(x)"}' };

function parts(begin: (messages: readonly ChatMessage[]) => ChatGeneration, said: string) {
  const questions: string[] = [];
  const remarks: string[] = [];
  const ask = async (text: string): Promise<string> => {
    questions.push(text);
    return said;
  };
  const show = (): void => undefined;
  const remark = (sentence: string): void => void remarks.push(sentence);
  return { begin, tools: [tool], show, ask, remark, questions, remarks };
}

describe("an answer that calls a function", () => {
  it("runs it when it is allowed, and goes on with what it gave", async () => {
    const model = answers([call], "Done.");
    const given = parts(model.begin, " Y ");
    const { result, between } = await writeAnswer([question], given);
    expect(result.reply.content).toBe("Done.");
    expect(given.questions).toEqual([
      `show({"path": "a b; $(x)"}): run ${JSON.stringify([node, "-e", echo, "--", "a b; $(x)", "a{path}"])}? [y/N] `,
    ]);
    const output = JSON.stringify([["a b; $(x)", "a{path}"], call.arguments]);
    expect(between).toMatchObject([
      { role: "assistant", tool_calls: [{ id: "c1" }] },
      { role: "tool", tool_call_id: "c1", name: "show", content: `${output}\n` },
    ]);
    expect(model.asked[1]).toEqual([question, ...between]);
  });

  it("runs nothing when it is not, or when there is no such function", async () => {
    const model = answers([call, { ...call, id: "c2", name: "rm" }], "Well.");
    const given = parts(model.begin, "");
    const { between } = await writeAnswer([question], given);
    expect(given.questions).toHaveLength(1);
    expect(between.slice(1).map(({ content }) => content)).toEqual([
      "error: the user does not allow this call",
      "error: there is no function rm",
    ]);
  });

  it("ends where the model calls without end, and says so", async () => {
    const model = answers(...Array<readonly ToolCall[]>(40).fill([call]));
    const given = parts(model.begin, "n");
    await writeAnswer([question], given);
    expect(model.asked).toHaveLength(16);
    expect(given.remarks[0]).toContain("16 times in a row");
  });
});

describe("a command", () => {
  it("takes texts as they are and other values as JSON; the program is never replaced", () => {
    const declared = { name: "f", command: ["{a}", "{a}", "{b}", "{c}", "{a} {b}"] };
    const line = commandLine(declared, '{"a": "x y", "b": [1, true]}');
    expect(line).toEqual(["{a}", "x y", "[1,true]", "", "{a} {b}"]);
  });

  it("that fails gives its code and what it wrote", async () => {
    const script = "console.error('bad');process.exit(3)";
    expect(await runCommand([node, "-e", script], "{}")).toBe(
      `error: ${node} ended with code 3\nbad\n`,
    );
    expect(await runCommand(["no-such-program-here"], "{}")).toContain("cannot be run");
  });

  it("that writes much is cut", async () => {
    const text = await runCommand([node, "-e", "console.log('x'.repeat(1e6))"], "{}");
    expect(text).toMatch(/^x{65536}\n… \(934465 more bytes\)$/);
  });
});

describe("a file of functions", () => {
  const write = (text: string): string => {
    const file = join(folder, "tools.json");
    writeFileSync(file, text);
    return file;
  };

  it("is read whole", () => {
    const declared = { name: "f", description: "F", parameters: {}, command: ["date"] };
    expect(readToolFile(write(JSON.stringify([declared])))).toEqual([declared]);
  });

  it.each([
    ["{", "the text"],
    ["{}", "a list of tools"],
    ["[1]", "tool 0"],
    ['[{"command": ["x"]}]', "a name"],
    ['[{"name": "f", "command": "date"}]', "tool 0, command"],
    ['[{"name": "f", "command": []}]', "tool 0, command"],
    ['[{"name": "f", "command": ["date"], "shell": true}]', '"shell"'],
    ['[{"name": "f", "command": ["date"], "description": 1}]', "tool 0, description"],
    ['[{"name": "f", "command": ["date"], "parameters": []}]', "tool 0, parameters"],
  ])("that is none is refused: %s", (text, message) => {
    const read = (): unknown => readToolFile(write(text));
    expect(read).toThrow(FileFormatError);
    expect(read).toThrow(message);
  });
});
