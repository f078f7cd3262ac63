/** A function that a model may call, as the caller declares it. */
import {
  checkOptions,
  describeValue,
  flagRule,
  isPlainObject,
  type OptionRules,
  textRule,
} from "../../core/check-options.ts";
import { OptionError } from "../../core/errors.ts";

export interface Tool {
  /** Letters, digits, "_", "-" and ".", at most 64. */
  readonly name: string;
  readonly description?: string;
  /** JSON schema of the arguments, which are an object. Default: no arguments are described. */
  readonly parameters?: Readonly<Record<string, unknown>>;
  /**
   * Whether the answer fails to begin where the arguments cannot be kept to that schema. Without it, arguments of a call that
   * the model chose to make are then any object.
   */
  readonly strict?: boolean;
}

/** More than any model keeps apart; each is text in every prompt. */
const maxTools = 512;

/** As deep as a schema may be (forms.md); what is deeper, templates cannot write either. */
const maxLevels = 400;
/** Of values at one level: a circle that branches would have ever more. */
const maxValues = 1_000_000;

/** What OpenAI accepts, and "." as in the names of namespaces. */
const nameForm = /^[\w.-]{1,64}$/;

const toolRules: OptionRules<Tool> = {
  name: {
    expected: 'a name of letters, digits, "_", "-" and "."',
    accepts: (value) => typeof value === "string" && nameForm.test(value),
  },
  description: { expected: "a text", accepts: (value) => typeof value === "string" },
  parameters: { expected: "a JSON schema", accepts: isPlainObject },
  strict: flagRule,
};

/** @throws OptionError naming the tool. */
export function checkTools(tools: unknown): asserts tools is readonly Tool[] {
  if (!Array.isArray(tools))
    throw new OptionError("tools", describeValue(tools), "a list of tools");
  if (tools.length > maxTools) {
    throw new OptionError("tools", `${tools.length} tools`, `at most ${maxTools}`);
  }
  const names = new Set<string>();
  for (const [index, tool] of tools.entries()) {
    if (!isPlainObject(tool)) {
      const expected = "{ name, description, parameters }";
      throw new OptionError(`tools[${index}]`, describeValue(tool), expected);
    }
    checkOptions(tool, toolRules, `tools[${index}]`);
    const { name } = tool;
    if (typeof name !== "string") {
      throw new OptionError(`tools[${index}].name`, describeValue(name), textRule.expected);
    }
    if (names.has(name)) {
      throw new OptionError(`tools[${index}].name`, describeValue(name), "a name of its own");
    }
    names.add(name);
    if (isTooDeep(tool["parameters"])) {
      const expected = `at most ${maxLevels} levels; name inner schemas in $defs`;
      throw new OptionError(`tools[${index}].parameters`, "a schema that is deeper", expected);
    }
  }
}

/** In a loop of its own: the stack must not decide. */
function isTooDeep(value: unknown): boolean {
  let level = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > maxLevels || level.length > maxValues) return true;
    level = level.flatMap((each) =>
      typeof each === "object" && each !== null ? Object.values(each) : [],
    );
  }
  return false;
}

/** The schema of one argument; undefined where the tool says nothing of it. */
export function argumentSchema(
  tools: readonly Tool[],
  name: string,
  argument: string,
): Readonly<Record<string, unknown>> | undefined {
  const properties = tools.find((tool) => tool.name === name)?.parameters?.["properties"];
  const schema = isPlainObject(properties) ? properties[argument] : undefined;
  return isPlainObject(schema) ? schema : undefined;
}
