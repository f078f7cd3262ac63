/** `hearth-llm/tokenizer`: text to token ids and back, in a browser as in Node. `metadata`: of `hearth-llm/gguf`, or your own getters. */
export type {
  AddToken,
  EncodeOptions,
  Tokenizer,
} from "../text/tokenizer.ts";
export { createTokenizer, loadTokenizer } from "../text/tokenizer.ts";
export type { VocabularyMetadata } from "../text/vocabulary.ts";
