/**
 * Which chat template a file has. Most have one under `tokenizer.chat_template`; models with several (for tools, for
 * retrieval) name them in `tokenizer.chat_templates` and keep each under `tokenizer.chat_template.NAME`; some writers
 * put the list itself where the one should be.
 */
import type { VocabularyMetadata } from "./vocabulary.ts";

export type TemplateMetadata = Pick<
  VocabularyMetadata,
  "kindOf" | "optionalString" | "optionalStrings"
>;

export interface FoundTemplate {
  /** Undefined: the file has none. */
  readonly source: string | undefined;
  /** Which one of several was taken, where none is the default; to be shown to the user. */
  readonly notice?: string;
}

const key = "tokenizer.chat_template";

export function findChatTemplate(metadata: TemplateMetadata): FoundTemplate {
  if (metadata.kindOf(key) === "string") return { source: metadata.optionalString(key) };
  const templates = namedTemplates(metadata);
  const usual = templates.find(({ name }) => name === "default");
  const [first] = templates;
  if (usual !== undefined || templates.length < 2) return { source: (usual ?? first)?.source };
  const notice = `the model has ${templates.length} chat templates and calls none of them default: using ${JSON.stringify(first?.name)}`;
  return { source: first?.source, notice };
}

interface NamedTemplate {
  readonly name: string;
  readonly source: string;
}

function namedTemplates(metadata: TemplateMetadata): readonly NamedTemplate[] {
  const names = textsOf(metadata, "tokenizer.chat_templates");
  const listed = textsOf(metadata, key);
  if (listed.length > 0) {
    return listed.map((source, index) => ({ name: names[index] ?? `number ${index + 1}`, source }));
  }
  return [...new Set(["default", ...names])].flatMap((name) => {
    const own = `${key}.${name}`;
    if (metadata.kindOf(own) !== "string") return [];
    return [{ name, source: metadata.optionalString(own) ?? "" }];
  });
}

function textsOf(metadata: TemplateMetadata, name: string): readonly string[] {
  return metadata.kindOf(name) === "strings" ? (metadata.optionalStrings(name) ?? []) : [];
}
