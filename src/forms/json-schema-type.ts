/**
 * The TypeScript type of the values that a JSON schema allows, as far as types can say it; and of a schema of a library
 * (zod, valibot, arktype) by the interface that they share (standardschema.dev, version 1).
 */

/** A schema as an object. Written with `as const`, or in the call itself, its values have a type. */
export type JsonSchema = boolean | { readonly [keyword: string]: unknown };

/** What libraries of schemas have in common. `jsonSchema`: of those that can say themselves as a JSON schema. */
export interface StandardSchema<Value = unknown> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<Value> | Promise<StandardResult<Value>>;
    readonly types?: { readonly input: unknown; readonly output: Value } | undefined;
    readonly jsonSchema?: {
      readonly input: (options: { readonly target: "draft-2020-12" }) => Record<string, unknown>;
      readonly output: (options: { readonly target: "draft-2020-12" }) => Record<string, unknown>;
    };
  };
}

type StandardResult<Value> =
  | { readonly value: Value; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string }[] };

/** The values of a schema; `unknown` for what types cannot say. */
export type JsonSchemaType<Schema> = Schema extends false
  ? never
  : Schema extends { readonly const: infer Value }
    ? Value
    : Schema extends { readonly enum: readonly (infer Value)[] }
      ? Value
      : Schema extends { readonly anyOf: readonly (infer Branch)[] }
        ? EachOf<Branch>
        : Schema extends { readonly oneOf: readonly (infer Branch)[] }
          ? EachOf<Branch>
          : Schema extends { readonly type: readonly (infer Type)[] }
            ? TypeOf<Type, Schema>
            : Schema extends { readonly type: infer Type }
              ? TypeOf<Type, Schema>
              : unknown;

/** For each member of a union. */
type EachOf<Branch> = Branch extends unknown ? JsonSchemaType<Branch> : never;

type TypeOf<Type, Schema> = Type extends "string"
  ? string
  : Type extends "number" | "integer"
    ? number
    : Type extends "boolean"
      ? boolean
      : Type extends "null"
        ? null
        : Type extends "array"
          ? ArrayOf<Schema>
          : Type extends "object"
            ? ObjectOf<Schema>
            : unknown;

type ArrayOf<Schema> = Schema extends {
  readonly prefixItems: infer Items extends readonly unknown[];
}
  ? Schema extends { readonly items: false }
    ? { [Place in keyof Items]?: JsonSchemaType<Items[Place]> }
    : unknown[]
  : Schema extends { readonly items: infer Item }
    ? JsonSchemaType<Item>[]
    : unknown[];

type ObjectOf<Schema> = Schema extends { readonly properties: infer Properties }
  ? Flat<
      {
        -readonly [Name in keyof Properties as Name extends RequiredOf<Schema>
          ? Name
          : never]: JsonSchemaType<Properties[Name]>;
      } & {
        -readonly [Name in keyof Properties as Name extends RequiredOf<Schema>
          ? never
          : Name]?: JsonSchemaType<Properties[Name]>;
      }
    >
  : Schema extends { readonly additionalProperties: infer Rest extends object }
    ? Record<string, JsonSchemaType<Rest>>
    : Record<string, unknown>;

type RequiredOf<Schema> = Schema extends { readonly required: readonly (infer Name)[] }
  ? Name
  : never;

/** One object type, as editors show it. */
type Flat<Value> = { [Name in keyof Value]: Value[Name] };
