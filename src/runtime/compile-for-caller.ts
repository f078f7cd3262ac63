/** Compiles a program with a caller's callbacks: what one of them throws stops the load, and the load rejects with it. */
import type { Backend, CompileOptions, Executable } from "../backends/backend.ts";
import { callCaller } from "../core/call-caller.ts";
import type { Program } from "../ops/program.ts";

/** @throws what a callback threw, the signal's reason if it is aborted before the program is ready, else as Backend.compile. */
export async function compileForCaller(
  backend: Backend,
  program: Program,
  { onProgress, onCompile, signal }: CompileOptions,
): Promise<Executable> {
  const stop = new AbortController();
  const fail = (error: unknown): void => stop.abort(error);
  const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  let executable: Executable;
  try {
    executable = await backend.compile(program, {
      signal: either,
      ...(onProgress && {
        onProgress: (progress) => callCaller(() => onProgress(progress), fail),
      }),
      ...(onCompile && { onCompile: (kernels) => callCaller(() => onCompile(kernels), fail) }),
    });
  } catch (error) {
    either.throwIfAborted();
    throw error;
  }
  if (either.aborted) executable[Symbol.dispose]();
  either.throwIfAborted();
  return executable;
}
