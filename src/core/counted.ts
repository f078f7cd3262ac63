/** A number with its noun, as a person says it: "1 tensor", "2 tensors". */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`;
}
