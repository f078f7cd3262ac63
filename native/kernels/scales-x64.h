// Scales as AVX2 reads them, with F16C: for the kernels of AVX2 and of AVX-512.
// Internal to kernels/.
#pragma once

#include <immintrin.h>

#include "codecs.h"

namespace hearth {
namespace {

inline float load_f16c(const uint8_t* p) { return _cvtsh_ss(load_u16(p)); }

// The eight scales of a block.
inline __m256 iq4_xs_scales(const uint8_t* b) {
  const __m256i nibbles = _mm256_srlv_epi32(_mm256_set1_epi32(static_cast<int>(load_u32(b + 4))),
                                            _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28));
  const __m256i pairs = _mm256_srlv_epi32(_mm256_set1_epi32(load_u16(b + 2)),
                                          _mm256_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14));
  const __m256i six =
      _mm256_or_si256(_mm256_and_si256(nibbles, _mm256_set1_epi32(15)),
                      _mm256_slli_epi32(_mm256_and_si256(pairs, _mm256_set1_epi32(3)), 4));
  const __m256 centred = _mm256_cvtepi32_ps(_mm256_sub_epi32(six, _mm256_set1_epi32(32)));
  return _mm256_mul_ps(centred, _mm256_set1_ps(load_f16c(b)));
}

}  // namespace
}  // namespace hearth
