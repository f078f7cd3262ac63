/**
 * What every client of JavaScript is tried with: questions, and a line of JSON on stdout for each trial. The address of the
 * server is the first argument. The files of this folder run where the clients are installed.
 */
import assert from "node:assert/strict";

export const url = process.argv[2];
export const question = "Once upon a time";
/** More tokens than the server's context has. */
export const longQuestion = "word ".repeat(5000);

export const citySchema = {
  type: "object",
  properties: { city: { enum: ["Rome", "Oslo"] }, isLarge: { type: "boolean" } },
  required: ["city", "isLarge"],
  additionalProperties: false,
};

export const lookUp = { name: "look_up", description: "Facts of a city", parameters: citySchema };

/** A value of `citySchema`. Returns its text. */
export function checkCity(value) {
  const { city, isLarge, ...rest } = typeof value === "string" ? JSON.parse(value) : value;
  assert.ok(["Rome", "Oslo"].includes(city), `city is ${city}`);
  assert.equal(typeof isLarge, "boolean");
  assert.deepEqual(rest, {});
  return JSON.stringify({ city, isLarge });
}

/** Both numbers of a prompt that is too long, in what the client says of it. */
export function checkTooLong(error) {
  const said = `${error?.status ?? error?.statusCode ?? ""} ${error?.message ?? error}`;
  assert.match(said, /\d+ tokens/);
  assert.match(said, /1024/);
  return said.slice(0, 100);
}

/** As no client of another's interface does. */
export async function post(path, body) {
  const response = await fetch(url + path, { method: "POST", body: JSON.stringify(body) });
  return response.json();
}

/** What it rejects with. */
export async function failureOf(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("nothing was refused");
}

/** Resolves when no answer runs any more: within five seconds of its client's leaving. */
export async function untilIdle() {
  const deadline = Date.now() + 5000;
  while (Date.now() < deadline) {
    const slots = await (await fetch(`${url}/slots`)).json();
    if (slots.every(({ is_processing }) => !is_processing)) return "its place is free";
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("an answer still runs five seconds after its client has gone");
}

/** Pieces of a text, of which there are several, and which are the whole. */
export function checkPieces(pieces, whole) {
  assert.ok(pieces.length > 3, `${pieces.length} pieces`);
  assert.equal(pieces.join(""), whole);
  return `${pieces.length} pieces`;
}

/** A vector of some length that is no zero. */
export function checkVector(vector) {
  assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-3);
  return `${vector.length} numbers`;
}

/** Runs them in turn; what they return is shown. */
export async function runTrials(client, trials) {
  for (const [name, trial] of Object.entries(trials)) {
    let result;
    try {
      result = { client, name, isRight: true, found: String(await trial()) };
    } catch (error) {
      result = { client, name, isRight: false, found: String(error?.message ?? error) };
    }
    console.log(JSON.stringify(result));
  }
}
