/** The prompt of a text that is to be filled in: around it, the model's own tokens, in llama-server's order. */
import type { Engine } from "../../index.ts";
import { RequestError } from "../errors.ts";
import type { Surroundings } from "./request.ts";

/** As long as that, which llama-server writes, too: models do not look at it. */
const project = "myproject\n";

/**
 * [repository] project [file] name, text … [file] filename [prefix] … [suffix] … [middle] begun, of repositories
 * (https://arxiv.org/abs/2409.12186); for models without such tokens the files are snippets in front.
 * @throws RequestError for a model that cannot
 */
export async function fillInPrompt(
  { prefix, suffix, begun, files }: Surroundings,
  { tokenizer }: Pick<Engine, "tokenizer">,
): Promise<readonly number[]> {
  const { fillIn, bos, addsBos } = tokenizer.special;
  if (fillIn === undefined) {
    const message = "this model has no tokens for a text in the middle of another";
    throw new RequestError("not supported", message);
  }
  const encode = (text: string): Promise<readonly number[]> =>
    tokenizer.encodeWithPauses(text, { addBos: "never", addEos: "never" });
  const { repository, file } = fillIn;
  const before: (readonly number[])[] = [];
  for (const { name, text } of files) {
    const snippet = file === undefined ? `\n\n--- snippet ---\n\n${text}\n` : `${name}\n${text}\n`;
    before.push(file === undefined ? [] : [file], await encode(snippet));
  }
  return [
    ...(addsBos && bos !== undefined ? [bos] : []),
    ...(repository === undefined ? [] : [repository, ...(await encode(project))]),
    ...before.flat(),
    ...(repository === undefined || file === undefined
      ? []
      : [file, ...(await encode("filename\n"))]),
    fillIn.prefix,
    ...(await encode(prefix)),
    fillIn.suffix,
    ...(await encode(suffix)),
    fillIn.middle,
    ...(await encode(begun)),
  ];
}
