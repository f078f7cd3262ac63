/**
 * What a chat template makes of tools, found out by rendering small conversations: templates differ in what they read and
 * say so nowhere else.
 */
import type { Input } from "./jinja/input.ts";

export interface TemplateAbilities {
  /** It tells the model of the tools that it is given. */
  readonly knowsTools: boolean;
  /** How an earlier call must be given; undefined: it shows none. */
  readonly calls: CallInput | undefined;
  /** It shows several calls of one message. */
  readonly showsSeveral: boolean;
  /** It shows what a tool gave (role "tool"). */
  readonly showsResults: boolean;
  /** It shows a system message. */
  readonly takesSystem: boolean;
}

interface CallInput {
  /** Arguments as an object, or as JSON text. */
  readonly arguments: "object" | "text";
  /** What stands for no content beside a call. */
  readonly noContent: null | "";
}

/** Gives a template its variables "messages" and "tools". @throws what the template throws */
export type TryRender = (messages: Input, tools: Input) => string;

const tool = "needle_tool";
/** Of calls: what tools' descriptions do not say. */
const called = ["needle_call", "needle_second"] as const;
const key = "needle_key";
const result = "needle_result";
const system = "needle_system";
/** With a digit, nine letters and digits: Mistral's templates take no other. */
const id = "needle00";
const user: Input = { role: "user", content: "Hello" };

export function findAbilities(render: TryRender): TemplateAbilities {
  const rendered = (messages: Input, tools: Input = null): string => {
    try {
      return render(messages, tools);
    } catch {
      // A template that refuses such messages does not know them.
      return "";
    }
  };
  const tools: Input = [
    {
      type: "function",
      function: {
        name: tool,
        description: "A tool",
        parameters: {
          type: "object",
          properties: { place: { type: "string", description: "A place" } },
          required: ["place"],
        },
      },
    },
  ];
  const [first, second] = called;
  const calls = callInputs.find((form) => {
    const text = rendered([user, ...messagesWithCalls(form, [first])], tools);
    // Python's form of a dictionary, or JSON in JSON: not as the model writes it.
    const isMangled = text.includes(`'${key}'`) || text.includes(`\\"${key}`);
    return text.includes(first) && text.includes(key) && !isMangled;
  });
  const form = calls ?? { arguments: "object", noContent: "" };
  const results: Input = [user, ...messagesWithCalls(form, [first])];
  const several = rendered([user, ...messagesWithCalls(form, called)], tools);
  return {
    knowsTools: rendered([user], tools).includes(tool),
    calls,
    showsSeveral: several.includes(second),
    showsResults: rendered(results, tools).includes(result),
    takesSystem: rendered([{ role: "system", content: system }, user]).includes(system),
  };
}

/** Some templates write null out, others show no calls beside a text. */
const callInputs: readonly CallInput[] = (["object", "text"] as const).flatMap((form) =>
  (["", null] as const).map((noContent): CallInput => ({ arguments: form, noContent })),
);

function messagesWithCalls(
  { arguments: form, noContent }: CallInput,
  names: readonly string[],
): readonly Input[] {
  const given: Input = form === "object" ? { [key]: "x" } : `{"${key}": "x"}`;
  const calls = names.map((name, index) => {
    return { id: id + index, type: "function", function: { name, arguments: given } };
  });
  const results = names.map((_, index) => ({
    role: "tool",
    tool_call_id: id + index,
    name: "needle_tool",
    content: result,
  }));
  return [{ role: "assistant", content: noContent, tool_calls: calls }, ...results];
}
