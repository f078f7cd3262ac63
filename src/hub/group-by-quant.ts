/**
 * The models among the files of a repository, by their names: `Qwen3-8B-Q4_K_M.gguf`, parts `…-00001-of-00003.gguf`, or a
 * folder per quantisation. Names are a convention of those who publish, so nothing is concluded from one but what it is called.
 */
import type { Bytes } from "../core/units.ts";
import type { ModelFiles } from "./hub-file.ts";

/** Beside models: projectors of images and sound, importance matrices, draft heads, adapters, vocabularies alone. */
const besides = /(^|[-_.])(mmproj|imatrix)(?![a-z0-9])|^(mtp|lora|adapter|ggml-vocab)(?![a-z0-9])/i;

const quantWord =
  /(?:^|[-._/])((?:UD-)?(?:I?Q\d(?:_[A-Z0-9]+)*|TQ\d_\d|MXFP4(?:_[A-Z]+)?|NVFP4|BF16|FP?16|FP?32))$/i;

interface FileInRepository {
  readonly path: string;
  readonly size: Bytes;
}

interface Named<File> {
  readonly file: File;
  /** The path without the number of the part and `.gguf`. */
  readonly stem: string;
  readonly part: number;
  readonly parts: number;
}

/** The smallest first. A split model that lacks a part is left out: it cannot run. */
export function groupByQuant<File extends FileInRepository>(
  files: readonly File[],
): readonly ModelFiles<File>[] {
  const groups = new Map<string, Named<File>[]>();
  for (const file of files) {
    const named = nameOf(file);
    if (named === undefined) continue;
    const key = `${named.stem}\n${named.parts}`;
    groups.set(key, [...(groups.get(key) ?? []), named]);
  }
  return [...groups.values()]
    .filter(isWhole)
    .map(modelOf)
    .sort((a, b) => a.bytes - b.bytes);
}

function nameOf<File extends FileInRepository>(file: File): Named<File> | undefined {
  const name = file.path.slice(file.path.lastIndexOf("/") + 1);
  if (!/\.gguf$/i.test(name) || besides.test(name) || /\.sparsity\.gguf$/i.test(name))
    return undefined;
  const path = file.path.replace(/\.gguf$/i, "");
  const [, stem, part, parts] = /^(.*)-(\d{5})-of-(\d{5})$/.exec(path) ?? [];
  if (stem === undefined) return { file, stem: path, part: 1, parts: 1 };
  return { file, stem, part: Number(part), parts: Number(parts) };
}

function isWhole(group: readonly Named<unknown>[]): boolean {
  return group.length === group[0]?.parts;
}

function modelOf<File extends FileInRepository>(group: readonly Named<File>[]): ModelFiles<File> {
  const inOrder = [...group].sort((a, b) => a.part - b.part);
  return {
    quant: quantOf(inOrder[0]?.stem ?? ""),
    files: inOrder.map(({ file }) => file),
    bytes: inOrder.reduce((sum, { file }) => sum + file.size, 0),
  };
}

/** From the name, else from the folder that the file lies in, else the name itself. */
function quantOf(stem: string): string {
  const name = stem.slice(stem.lastIndexOf("/") + 1);
  const folder = stem.slice(0, Math.max(0, stem.lastIndexOf("/")));
  const found = quantWord.exec(name)?.[1] ?? quantWord.exec(folder)?.[1];
  return found?.toUpperCase() ?? name;
}
