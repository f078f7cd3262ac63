/**
 * How well a prepared model's predictors and sign bits find active neurons in a text that they were not made from:
 *   node bench/engine/predictor-quality.mjs MODEL SIDECAR TEXT [tokens]
 * Needs a built hearth (npm run build, npm run build:native). Recall, share of activation mass, precision and
 * selected/active for each layer and the model. Perplexity: hearth perplexity --sparsity … --sidecar … beside it.
 */
import { createCpuBackend } from "../../dist/backends/cpu/cpu-backend.js";
import { openWeight } from "../../dist/backends/weight-reader.js";
import { sidecarModelOf } from "../../dist/engine/model-sidecar.js";
import { openGguf } from "../../dist/gguf/open.js";
import { readTensorBytes } from "../../dist/io/tensor-bytes.js";
import { openCorpus } from "../../dist/learning/corpus.js";
import { Gatherer } from "../../dist/learning/gather.js";
import { measureSelection } from "../../dist/learning/predictor/predictor-quality.js";
import { scorePredictor } from "../../dist/learning/predictor/predictor-scores.js";
import { RowReservoir } from "../../dist/learning/predictor/train-rows.js";
import { openModel } from "../../dist/model/model.js";
import { openSidecar } from "../../dist/sparsity/sidecar/read.js";
import { loadTokenizer } from "../../dist/text/tokenizer.js";

const [path, sidecarPath, text, tokens = "16384"] = process.argv.slice(2);
if (text === undefined) {
  process.stderr.write(
    "usage: node bench/engine/predictor-quality.mjs MODEL SIDECAR TEXT [tokens]\n",
  );
  process.exit(2);
}
const model = openModel(openGguf(path));
const { dim, neurons } = model.hyperparameters;
const sidecar = openSidecar(sidecarPath, sidecarModelOf(model));
const backend = createCpuBackend();
const rows = await gatherRows();
const totals = new Map();
console.log(`${path}, ${tokens} tokens of ${text}, ${backend.description}`);
for (const layer of neurons.keys()) {
  const ofLayer = rows[layer];
  const { predictors, signMargins } = sidecar;
  if (predictors[layer]) show("mlp", layer, await predictorQuality(predictors[layer], ofLayer));
  if (signMargins) show("sign", layer, await signQuality(layer, ofLayer));
}
for (const [method, { selected, active, found }] of totals) {
  console.log(
    `${method} model: recall ${(found / active).toFixed(4)} selected/active ${(selected / active).toFixed(2)}`,
  );
}
backend[Symbol.dispose]();

async function gatherRows() {
  const tokenizer = await loadTokenizer(model.gguf.metadata);
  const gatherer = await Gatherer.open(model, tokenizer, backend);
  const keepsMagnitude = "with magnitudes";
  const reservoirs = neurons.map(
    (count, seed) =>
      new RowReservoir({ dim, neurons: count, capacity: Number(tokens), keepsMagnitude, seed }),
  );
  const corpus = await openCorpus(text);
  for await (const batch of gatherer.batches({ corpus, tokens: Number(tokens) })) {
    for (const { layer, normed, h } of batch.layers) reservoirs[layer].offer(batch.rows, normed, h);
  }
  gatherer[Symbol.dispose]();
  return reservoirs.map((reservoir) => reservoir.rows());
}

async function predictorQuality({ fc1, fc2, threshold }, ofLayer) {
  const matrices = { rank: fc1.rows, fc1: floats(fc1), fc2: floats(fc2) };
  const scores = await scorePredictor(matrices, ofLayer, backend.multiply);
  return measureSelection(scores, ofLayer, threshold);
}

function floats(weight) {
  const values = new Float32Array(weight.rows * weight.columns);
  const reader = openWeight(weight);
  reader.read({ first: 0, count: weight.columns }, values);
  reader.close();
  return values;
}

/** Products of ones and minus ones: dim − 2·popcount(XOR), less the margin. */
async function signQuality(layer, ofLayer) {
  const bits = readTensorBytes(sidecar.signs[layer]);
  const rowBytes = Math.ceil(dim / 64) * 8;
  const count = neurons[layer];
  const directions = Float32Array.from({ length: count * dim }, (_, at) => {
    const byte = bits[Math.floor(at / dim) * rowBytes + ((at % dim) >> 3)];
    return (byte >> ((at % dim) & 7)) & 1 ? -1 : 1;
  });
  const signs = ofLayer.x.map((x, at) => (x - sidecar.signCentres[layer][at % dim] < 0 ? -1 : 1));
  const scores = new Float32Array(ofLayer.count * count);
  const shape = { rows: ofLayer.count, columns: count, depth: dim, transposed: "b" };
  await backend.multiply({ ...shape, a: signs, b: directions, c: scores });
  const margins = sidecar.signMargins[layer];
  for (let at = 0; at < scores.length; at++) scores[at] -= margins[at % count];
  return measureSelection(scores, ofLayer, 0);
}

function show(method, layer, quality) {
  const { recall, massRecall, precision, activeShare, selectedShare, ratio } = quality;
  console.log(
    `${method} layer ${layer}: active ${(100 * activeShare).toFixed(1)} % recall ${recall.toFixed(4)} of mass ${massRecall.toFixed(4)} precision ${precision.toFixed(3)} selected/active ${ratio.toFixed(2)}`,
  );
  const sums = totals.get(method) ?? { selected: 0, active: 0, found: 0 };
  const count = neurons[layer];
  sums.selected += selectedShare * count;
  sums.active += activeShare * count;
  sums.found += recall * activeShare * count;
  totals.set(method, sums);
}
