/** Copies of what layers remember, from place to place within their buffers: one dispatch for each buffer. */
import type { ReadyCall } from "./ready-program.ts";

export type CopyRequest = readonly [from: number, to: number, length: number];

/** Workgroups of a copy: they loop over any length. */
const workgroups = 256;

export class StateCopies {
  readonly #device: GPUDevice;
  /** One vec4<u32>: from, to, length, unused. */
  readonly #request: GPUBuffer;
  readonly #words: Uint32Array<ArrayBuffer> = new Uint32Array(4);

  constructor(device: GPUDevice, request: GPUBuffer) {
    this.#device = device;
    this.#request = request;
  }

  /** Behind all that was submitted so far. Their kernels are compiled. */
  submit(calls: readonly ReadyCall[], request: CopyRequest): void {
    const { queue } = this.#device;
    this.#words.set(request);
    queue.writeBuffer(this.#request, 0, this.#words);
    const encoder = this.#device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (const { kernel, bindGroup } of calls) {
      if (kernel.pipeline === undefined) continue;
      pass.setPipeline(kernel.pipeline);
      pass.setBindGroup(0, bindGroup);
      pass.dispatchWorkgroups(workgroups);
    }
    pass.end();
    queue.submit([encoder.finish()]);
  }
}
