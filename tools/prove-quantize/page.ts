/** What quantised models lose, as rows for the terminal and as docs/measurements/quantize.md. */

export interface ProvedQuantisation {
  readonly type: string;
  /** With an importance matrix. */
  readonly isWeighted: boolean;
  /** Native llama.cpp's perplexity of hearth's file, and of llama-quantize's. */
  readonly hearth: number;
  readonly native: number;
}

export interface ProvedModel {
  readonly name: string;
  /** Perplexity of the model before. */
  readonly original: number;
  readonly rows: readonly ProvedQuantisation[];
}

export function rowOf(row: ProvedQuantisation, original: number): string {
  const { type, isWeighted, hearth, native } = row;
  const lost = [hearth, native].map((perplexity) => percent(perplexity / original - 1));
  return `| ${[type, isWeighted ? "yes" : "", ...lost, percent(hearth / native - 1)].join(" | ")} |`;
}

export function pageOf(models: readonly ProvedModel[], windows: string): string {
  return `# Quantised models against those of llama-quantize

\`npm run prove:quantize\` writes this page: models quantised by \`hearth quantize\` and by \`llama-quantize\` (0.7.0), both read by native
llama-perplexity: ${windows}, of the text that the importance matrix was made of. Each figure is the perplexity over that of the model
before; the last is hearth's over llama-quantize's, so that less than zero is better. Small models are no smooth ground: a file with a smaller
error of its weights can have a perplexity that is some tenths of a percent higher, in the smallest some percent, and some types lose nothing at all.
${models.map(tableOf).join("")}`;
}

function tableOf({ name, original, rows }: ProvedModel): string {
  return `
## ${name}, ${original} before

| type | importance | hearth | llama-quantize | hearth from llama-quantize |
|---|---|---|---|---|
${rows.map((row) => rowOf(row, original)).join("\n")}
`;
}

function percent(share: number): string {
  return `${share < 0 ? "−" : "+"}${(100 * Math.abs(share)).toFixed(2)} %`;
}
