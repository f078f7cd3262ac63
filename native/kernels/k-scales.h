// Scales of Q4_K and Q5_K, unpacked in a register: for AVX2 and AVX-512. Internal to kernels/.
#pragma once

#include <immintrin.h>

namespace hearth {
namespace {

// The eight scales (low eight bytes) and eight minima (high) of a Q4_K or Q5_K block, as bytes, given
// its first sixteen bytes. Dwords: scales 0-3 and 4-7, minima 0-3 and 4-7.
inline __m128i k_scale_bytes(__m128i head) {
  const __m128i low_at = _mm_setr_epi8(4, 5, 6, 7, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m128i top_at = _mm_setr_epi8(-1, -1, -1, -1, 4, 5, 6, 7, -1, -1, -1, -1, 8, 9, 10, 11);
  const __m128i kept = _mm_setr_epi32(0x3f3f3f3f, 0x0f0f0f0f, 0x3f3f3f3f, 0x0f0f0f0f);
  const __m128i low = _mm_srlv_epi32(_mm_shuffle_epi8(head, low_at), _mm_setr_epi32(0, 0, 0, 4));
  const __m128i top =
      _mm_and_si128(_mm_srli_epi16(_mm_shuffle_epi8(head, top_at), 2), _mm_set1_epi8(0x30));
  return _mm_or_si128(_mm_and_si128(low, kept), top);
}

}  // namespace
}  // namespace hearth
