/** Fields that promise a form of the answer, and what of `GenerateOptions` they are. */
import { z } from "zod";
import { defined } from "../../core/defined.ts";
import type { AnswerOptions } from "./request.ts";

export type SchemaObject = Readonly<Record<string, unknown>>;

/** As llama-server has them. */
export interface FormBody {
  readonly grammar?: string | undefined;
  readonly json_schema?: SchemaObject | undefined;
}

export const schemaField: z.ZodType<SchemaObject> = z
  .record(z.string(), z.unknown())
  .describe("A JSON schema; one that cannot be kept is refused");

/** To be spread into the schema of a body. */
export const formFields: {
  readonly [Name in keyof Required<FormBody>]: z.ZodType<FormBody[Name]>;
} = {
  grammar: z.string().optional().describe("GBNF with a rule named root; empty for none"),
  json_schema: schemaField.optional(),
};

/** "JSON" without a schema. */
export const anyObject: SchemaObject = { type: "object" };

/** What of the engine's options they are. `schema`: by another name of the dialect's own. */
export function formOptions(
  { grammar, json_schema }: FormBody,
  schema: SchemaObject | undefined = json_schema,
): Pick<AnswerOptions, "schema" | "grammar"> {
  return defined({ schema, grammar: grammar === "" ? undefined : grammar });
}
