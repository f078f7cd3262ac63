/** What a case's runs leave in the outputs of their segments, byte by byte: for comparisons of two ways that must agree in every bit. */
import type { Backend } from "../backend.ts";
import type { CaseScript } from "./case.ts";

export async function outputsOf(
  backend: Pick<Backend, "compile">,
  script: CaseScript,
): Promise<Uint8Array[]> {
  using executable = await backend.compile(script.program);
  const outputs: Uint8Array[] = [];
  for (const action of script.actions) {
    if (action.kind === "write") executable.write(action.slot, action.data);
    else if (action.kind === "copy-sequence")
      await executable.copySequence(action.from, action.to, action.length);
    else if (action.kind === "save-state") await executable.saveState(action.sequence, action.slot);
    else if (action.kind === "restore-state")
      await executable.restoreState(action.slot, action.sequence);
    else {
      await executable.run(action.segment, action.step);
      for (const slot of script.program.segments[action.segment]!.outputs) {
        const values = executable.output(slot).slice();
        outputs.push(new Uint8Array(values.buffer));
      }
    }
  }
  return outputs;
}
