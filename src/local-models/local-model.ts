/**
 * A model that is on this machine already, wherever another program has put it. It is known by its name there and by
 * its file; nothing in it has been read yet.
 */

/** Whose folder a model lies in. Each is a prefix of names: "ollama:llama3.2:1b". */
export const origins = ["hearth", "hf", "ollama", "lmstudio", "llama.cpp"] as const;

export type Origin = (typeof origins)[number];

export interface LocalModel {
  readonly origin: Origin;
  /** As its program calls it: "llama3.2:1b". */
  readonly name: string;
  /** Shorter names that it answers to where no other model does. */
  readonly aliases: readonly string[];
  /** The GGUF file, or the first part of several; "" where `problem` says that there is none. */
  readonly path: string;
  /** Why it cannot be run, where its folder tells already: a part of the sentence behind "no: ". */
  readonly problem?: string;
  /** What a user who runs it should know. One sentence. */
  readonly notice?: string;
}

/** What was found in some folders. */
export interface FoundModels {
  readonly models: readonly LocalModel[];
  /** Folders that could not be read, and where a search was ended. One sentence each. */
  readonly notices: readonly string[];
}

/** The name that is a model's own among all: "ollama:llama3.2:1b". */
export function fullName({ origin, name }: LocalModel): string {
  return `${origin}:${name}`;
}

/** What all of the searches found. */
export function joinFound(found: readonly FoundModels[]): FoundModels {
  return {
    models: found.flatMap(({ models }) => models),
    notices: found.flatMap(({ notices }) => notices),
  };
}
