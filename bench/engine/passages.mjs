/**
 * Passages from all over a text that is too large to learn from whole, evenly spread, as JSONL of a document each:
 *   node bench/engine/passages.mjs TEXT [passages 60] [characters of each 3250] > passages.jsonl
 * hearth reads a corpus from its beginning on; 60 000 tokens of a library would be its first book. Each passage begins
 * at a line of its own and ends before the next book (`<|endoftext|>`).
 */
import { closeSync, openSync, readSync, statSync } from "node:fs";

const [path, count = "60", characters = "3250"] = process.argv.slice(2);
if (path === undefined) {
  process.stderr.write("usage: node bench/engine/passages.mjs TEXT [passages] [characters]\n");
  process.exit(2);
}
const stretch = statSync(path).size / Number(count);
const file = openSync(path, "r");
for (let passage = 0; passage < Number(count); passage++) {
  const text = passageAt(Math.floor((passage + 0.5) * stretch));
  process.stdout.write(`${JSON.stringify({ text })}\n`);
}
closeSync(file);

/** A character takes up to four bytes, so that enough is read even if the cut line costs some. */
function passageAt(position) {
  const bytes = Buffer.alloc(Number(characters) * 4);
  const text = bytes.toString("utf8", 0, readSync(file, bytes, 0, bytes.length, position));
  const [before, after = ""] = text.slice(text.indexOf("\n") + 1).split("<|endoftext|>");
  const longest = before.length < after.length ? after : before;
  return longest.slice(0, Number(characters)).trim();
}
