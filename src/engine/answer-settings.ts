/** From what a caller wants of an answer to how it is written. */
import type { GenerationSettings } from "../runtime/generation-settings.ts";
import { resolveSampling, withoutTokens } from "../runtime/sampling/sampling-options.ts";
import { usesDry } from "../runtime/sampling/stages.ts";
import { ShownTokens } from "../runtime/shown-tokens.ts";
import type { BreakerFinder } from "../text/sequence-breakers.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { endTokensOf, plainSettings } from "./option-rules.ts";
import type { GenerateOptions } from "./options.ts";
import type { Forms } from "./promised-form.ts";

/** What an engine knows that its options are resolved with. */
interface AnswerParts {
  readonly tokenizer: Tokenizer;
  readonly vocabulary: number;
  readonly forms: Forms;
  readonly breakers: BreakerFinder;
  readonly form: Parameters<Forms["constrain"]>[0] | undefined;
  /** The prompt's last token, once it is known. */
  readonly previous: () => number | undefined;
}

/** Of the time. A token is shown in some 50 µs: a tenth is too little for every token where one takes less than 0.5 ms. */
const showingShare = 0.1;

/** @throws OptionError for tokens that the vocabulary does not have */
export function generationSettings(
  options: GenerateOptions,
  { tokenizer, vocabulary, forms, breakers, form, previous }: AnswerParts,
): GenerationSettings {
  const { stop = [], showNeurons } = options;
  const endTokens = endTokensOf(options, vocabulary, tokenizer);
  const encode = (text: string): readonly number[] =>
    tokenizer.encode(text, { parseSpecial: true, addBos: "never", addEos: "never" });
  const sampling = resolveSampling(options, vocabulary, encode);
  const shown =
    showNeurons && new ShownTokens(showNeurons.onToken, showNeurons.timeShare ?? showingShare);
  return {
    sampling: withoutTokens(sampling, tokenizer.special.suppressed),
    ...(usesDry(sampling) && { sequenceBreakers: breakers.of(sampling.drySequenceBreakers) }),
    maxTokens: options.maxTokens ?? Number.POSITIVE_INFINITY,
    stop,
    endTokens,
    ...(form && { constraint: forms.constrain(form, { endTokens, previous }) }),
    whenFull: options.contextShift ? "shift" : "finish",
    vocabulary,
    ...plainSettings(options),
    ...(shown && { shown }),
  };
}
