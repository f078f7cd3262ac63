/**
 * A small seeded generator, the same numbers on every machine.
 * Source: sfc32 of PractRand (C. Doty-Humphrey), seeded through splitmix32.
 */
export interface Random {
  /** Uniform in [0, 1), 32 bits of resolution. */
  uniform(): number;
  /** Standard normal, by the polar method (Marsaglia and Bray, 1964). */
  normal(): number;
  /** Uniform integer in [0, limit). */
  integer(limit: number): number;
}

export function createRandom(seed: number): Random {
  let state = seed | 0;
  const split = (): number => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) | 0;
  };
  let a = split();
  let b = split();
  let c = split();
  let counter = 1;
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    c |= 0;
    return sum >>> 0;
  };
  for (let warmup = 0; warmup < 12; warmup++) next();
  const uniform = (): number => next() / 4294967296;
  let spare: number | undefined;
  const normal = (): number => {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    for (;;) {
      const x = 2 * uniform() - 1;
      const y = 2 * uniform() - 1;
      const squared = x * x + y * y;
      if (squared > 0 && squared < 1) {
        const scale = Math.sqrt((-2 * Math.log(squared)) / squared);
        spare = y * scale;
        return x * scale;
      }
    }
  };
  return { uniform, normal, integer: (limit) => Math.floor(uniform() * limit) };
}
