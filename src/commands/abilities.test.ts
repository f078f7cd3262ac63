import { afterAll, expect, it } from "vitest";
import { modelFolder } from "../../test/fixtures/changed-model.ts";
import { metadataValue } from "../gguf/value.ts";
import { modelAbilities } from "./abilities.ts";

const models = modelFolder();
afterAll(() => models[Symbol.dispose]());

const turns = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}";

it.each([
  ["no template", undefined, []],
  ["turns alone", turns, []],
  ["tools", `{% if tools %}{{ tools | tojson }}<tool_call>{% endif %}${turns}`, ["tools"]],
  ["thoughts", `${turns}{% if add_generation_prompt %}<think>{% endif %}`, ["thinking"]],
])("a model whose template has %s can do that", async (_, template, abilities) => {
  const keys =
    template === undefined ? {} : { "tokenizer.chat_template": metadataValue.string(template) };
  const path = await models.write("--arch llama", { keys });
  expect(modelAbilities(path)).toEqual(abilities);
});
