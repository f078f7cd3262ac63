/** A model of make-model with features that can be switched off. */

export interface Variant {
  readonly name: string;
  /** Beside `variantShape`, as on make-model's command line. */
  readonly options: string;
  /** A feature and what switches it off. */
  readonly without: Readonly<Record<string, string>>;
  /** Native llama.cpp cannot open it, so nothing is proved of it. */
  readonly isUnknownToNative?: true;
  /** hearth refuses it so far. */
  readonly isRefused?: true;
}

/** Each tensor without effect. */
export const neutral = (...names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [name, `--neutral ${name}`]));
