import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { parseCsv } from "../io/csv.ts";
import { type CorpusPiece, openCorpus } from "./corpus.ts";

const folder = mkdtempSync(join(tmpdir(), "hearth-corpus-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function piecesOf(name: string, content: string): Promise<CorpusPiece[]> {
  const path = join(folder, name);
  writeFileSync(path, content);
  const pieces: CorpusPiece[] = [];
  for await (const piece of (await openCorpus(path)).pieces()) pieces.push(piece);
  return pieces;
}

describe("a corpus", () => {
  it("of text is one document, cut at line ends into pieces that add up to it", async () => {
    const text = `\uFEFF${"Grüße, 世界 🔥 and more.\n".repeat(20_000)}`;
    const pieces = await piecesOf("long.txt", text);
    expect(pieces.map(({ text }) => text).join("")).toBe(text.slice(1));
    expect(pieces.length).toBeGreaterThan(3);
    expect(pieces.slice(0, -1).every((piece) => piece.text.endsWith("\n"))).toBe(true);
    expect(pieces.map((piece) => piece.startsDocument).indexOf(false)).toBe(1);
    expect(pieces.filter((piece) => piece.startsDocument)).toHaveLength(1);
  });

  it("without a space is cut between characters, never inside one", async () => {
    const text = `x${"🔥".repeat(200_000)}`;
    const pieces = await piecesOf("fire.txt", text);
    expect(pieces.map((piece) => piece.text).join("")).toBe(text);
    // encodeURI refuses half a surrogate pair.
    for (const piece of pieces) expect(() => encodeURI(piece.text)).not.toThrow();
  });

  it("of JSONL has a document for each line with text, prompt or content", async () => {
    const lines = ['{"text":"one\\ntwo"}', "", '{"prompt":"three","x":1}', '{"content":"four"}'];
    expect(await piecesOf("a.jsonl", lines.join("\n"))).toEqual([
      { text: "one\ntwo", startsDocument: true },
      { text: "three", startsDocument: true },
      { text: "four", startsDocument: true },
    ]);
  });

  it("of JSONL names the line that has no text", async () => {
    await expect(piecesOf("b.jsonl", '{"text":"one"}\n{"title":"two"}')).rejects.toThrow(/line 2/);
    await expect(piecesOf("c.jsonl", "not JSON")).rejects.toThrow(/line 1/);
  });

  it("of CSV takes the column of that name, quotes and line breaks and all", async () => {
    const csv = '\uFEFF"act","prompt"\r\n"A, B","say ""hi""\nand go"\r\nplain,text\r\n';
    expect((await piecesOf("a.csv", csv)).map((piece) => piece.text)).toEqual([
      'say "hi"\nand go',
      "text",
    ]);
  });

  it("of CSV without such a column is refused", async () => {
    await expect(piecesOf("b.csv", "question,answer\na,b\n")).rejects.toThrow(
      /question, answer.*prompt/,
    );
  });

  it("has the same hash under another name", async () => {
    writeFileSync(join(folder, "x.txt"), "same");
    writeFileSync(join(folder, "y.txt"), "same");
    const [x, y] = [
      await openCorpus(join(folder, "x.txt")),
      await openCorpus(join(folder, "y.txt")),
    ];
    expect(x.hash).toBe(y.hash);
  });

  it("that is missing or compressed is an error that says so", async () => {
    await expect(openCorpus(join(folder, "none.txt"))).rejects.toThrow(/none\.txt: no such file/);
    await expect(openCorpus(join(folder, "a.txt.xz"))).rejects.toThrow(/unpack/);
  });
});

describe("CSV", () => {
  it.each([
    [
      "a,b\n1,2",
      [
        ["a", "b"],
        ["1", "2"],
      ],
    ],
    ['"a""b"', [['a"b']]],
    [
      "a,\n,b\n",
      [
        ["a", ""],
        ["", "b"],
      ],
    ],
    ["a,", [["a", ""]]],
    ["", []],
    ["a\n\nb", [["a"], ["b"]]],
  ])("%j is read as %j", (text, records) => {
    expect(parseCsv(text, "x.csv")).toEqual(records);
  });

  it("with an open or a stray quote is an error that names the line", () => {
    expect(() => parseCsv('a\n"open', "x.csv")).toThrow(/x\.csv: line 2/);
    expect(() => parseCsv('a"b,c', "x.csv")).toThrow(/line 1/);
    expect(() => parseCsv('"a"b,c', "x.csv")).toThrow(/line 1/);
  });
});
