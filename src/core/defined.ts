/** Records whose optional properties are absent, as `exactOptionalPropertyTypes` asks, never undefined. */

type OptionalKey<Value> = {
  [Key in keyof Value]: undefined extends Value[Key] ? Key : never;
}[keyof Value];

export type Defined<Value> = Omit<Value, OptionalKey<Value>> & {
  readonly [Key in OptionalKey<Value>]?: Exclude<Value[Key], undefined>;
};

/** The properties of `value` that are not undefined. */
export function defined<Value extends object>(value: Value): Defined<Value>;
export function defined(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, property]) => property !== undefined));
}
