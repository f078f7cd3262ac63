/** What made models are judged by: a text of made words, and prompts. Always the same. */
import { createRandom } from "../../src/core/random.ts";

const letters = "aaaabcddeeeeeefghiiiklmnnnooooprrrssstttuuvwyz";

/** Words of 1 to 8 letters, some 4000 characters: longer than the windows that are read of it. */
export const provedText: string = makeText(900);

/** Of different lengths, so that their rows stand at different positions. The third is longer than windows. */
export const provedPrompts: readonly string[] = [
  "the cat sat on a mat",
  "once upon a time there was a small house in the wood, and in it",
  `${"a long prompt that goes on and on. ".repeat(6)}then`,
];

function makeText(words: number): string {
  const random = createRandom(15);
  const word = (): string => {
    const length = 1 + random.integer(8);
    return Array.from({ length }, () => letters[random.integer(letters.length)]).join("");
  };
  return Array.from({ length: words }, word).join(" ");
}
