/**
 * A flag for an option of the API, which has the rule and the default. The value is kept under the API's name, so that
 * no command renames it, and an error about the option names the flag.
 */
import { type Command, Option } from "commander";

export class ApiOption<Name extends string = string> extends Option {
  readonly apiName: Name;
  readonly #furtherNames: readonly string[];

  /** `furtherNames`: other options of the API that a command makes of the same flag. */
  constructor(apiName: Name, flags: string, help: string, furtherNames: readonly string[] = []) {
    super(flags, help);
    this.apiName = apiName;
    this.#furtherNames = furtherNames;
  }

  override attributeName(): string {
    return this.apiName;
  }

  isFor(option: string): boolean {
    return option === this.apiName || this.#furtherNames.includes(option);
  }
}

export function addApiOptions(command: Command, options: readonly ApiOption[]): Command {
  for (const option of options) command.addOption(option);
  return command;
}

/** Of all that was typed, what `options` are for; an option that was not given is absent. */
export function givenOptions<Typed, Name extends keyof Typed & string>(
  typed: Typed,
  options: readonly ApiOption<Name>[],
): { [Key in Name]?: Exclude<Typed[Key], undefined> };
export function givenOptions(
  typed: Readonly<Record<string, unknown>>,
  options: readonly ApiOption[],
): object {
  const given = options.filter(({ apiName }) => typed[apiName] !== undefined);
  return Object.fromEntries(given.map(({ apiName }) => [apiName, typed[apiName]]));
}
