/** Windows of text longer than a model's rings: each begins with nothing of the one before. */
import { expect, it } from "vitest";
import { tokensOf } from "../../../test/fixtures/counted-conversation.ts";
import { makeTinyModel } from "../../../test/fixtures/tiny-model.ts";
import { createReferenceBackend } from "../../backends/reference/reference-backend.ts";
import { openGguf } from "../../gguf/open.ts";
import { openModel } from "../../model/model.ts";
import { CheckedModel, scoreTargets } from "./checked-model.ts";

it("a text longer than the rings is scored like the first time, however often", async () => {
  // Rings of 192 cells: a window of 24, and steps of 128 rows.
  const args = "--arch olmo2 --layers 2 --window 24 --window-pattern 2 --context 512 --seed 5";
  using file = await makeTinyModel(args.split(" "));
  using backend = createReferenceBackend();
  const model = openModel(openGguf(file.path));
  using checked = await CheckedModel.open(model, backend, { contextLength: 300 });
  const window = tokensOf(300, 2);
  const { losses } = await scoreTargets(
    checked,
    { windows: [window, tokensOf(250, 3), window] },
    {},
  );
  expect(losses).toHaveLength(149 + 124 + 149);
  expect(losses.slice(-149)).toEqual(losses.slice(0, 149));
});
