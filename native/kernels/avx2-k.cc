// Dot products of the K-quants with nibbles (blocks of 256) on AVX2: one block a step. Scales multiply
// sums of 16 bits as whole numbers. Layouts: codecs-k.h.
#if defined(__x86_64__)
#include "avx2-codes.h"
#include "avx2.h"
#include "k-scales.h"

namespace hearth {
namespace {

// Word i of each half of `words` in all sixteen words.
inline __m256i repeat_word(__m256i words, size_t i) {
  return _mm256_shuffle_epi8(words, _mm256_set1_epi16(static_cast<short>(0x0100 + 0x0202 * i)));
}

// Q4_K and Q5_K: 32 bytes hold group 2j in their low nibbles and group 2j + 1 in their high ones.
template <class Codec>
struct KDot {
  using Format = Codec;
  static constexpr size_t kBytes = Codec::kBytes;
  using Sum = __m256;
  static Sum start() { return _mm256_setzero_ps(); }
  static float finish(Sum sum) { return sum_of_lanes(sum); }

  // 16 in byte i where bit g of byte i is set.
  static __m256i fifth_bits(__m256i high, size_t g) {
    const __m256i bit = _mm256_set1_epi8(16);
    const int shift = static_cast<int>(g) - 4;
    return _mm256_and_si256(
        shift > 0 ? _mm256_srli_epi16(high, shift) : _mm256_slli_epi16(high, -shift), bit);
  }

  static void add(const uint8_t* weights, const Q8Row& x, size_t index, Sum& sum) {
    const __m128i head = _mm_loadu_si128(reinterpret_cast<const __m128i*>(weights));
    const __m128i bytes = k_scale_bytes(head);
    const __m256i scale = _mm256_broadcastsi128_si256(_mm_cvtepu8_epi16(bytes));
    __m256i high = _mm256_setzero_si256();
    if constexpr (Codec::kBits == 5) high = load_256(weights + Codec::kHighBits);
    __m256 dot = _mm256_setzero_ps();
#pragma GCC unroll 8
    for (size_t g = 0; g < 8; ++g) {
      const __m256i packed = load_256(weights + Codec::kNibbles + g / 2 * 32);
      __m256i code =
          _mm256_and_si256(g % 2 ? _mm256_srli_epi16(packed, 4) : packed, _mm256_set1_epi8(15));
      if constexpr (Codec::kBits == 5) code = _mm256_or_si256(code, fifth_bits(high, g));
      const size_t group = index * 8 + g;
      const __m256i sums = _mm256_maddubs_epi16(code, load_256(x.q + group * kGroup));
      const __m256i scaled = _mm256_madd_epi16(sums, repeat_word(scale, g));
      dot = _mm256_fmadd_ps(_mm256_cvtepi32_ps(scaled), _mm256_broadcast_ss(x.d + group), dot);
    }
    const __m128 d = _mm_cvtph_ps(head);
    const __m256i minima = _mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8));
    const __m256 minimum =
        _mm256_mul_ps(_mm256_cvtepi32_ps(minima), _mm256_loadu_ps(x.d_sum + 8 * index));
    sum = _mm256_fmadd_ps(dot, _mm256_broadcastss_ps(d), sum);
    sum = _mm256_fnmadd_ps(minimum, _mm256_broadcastss_ps(_mm_movehdup_ps(d)), sum);
  }
};

// Per 32 weights two groups of 16.
template <>
struct KDot<Q6_K> {
  using Format = Q6_K;
  static constexpr size_t kBytes = Q6_K::kBytes;
  using Sum = __m256;
  static Sum start() { return _mm256_setzero_ps(); }
  static float finish(Sum sum) { return sum_of_lanes(sum); }

  // Codes 32 · part … 32 · part + 31 of half a block. Their bits 0-3 are the low (part 0 and 1) or
  // high nibbles of 32 bytes; bits 4-5 are bits 2 · part and 2 · part + 1 of 32 others.
  static __m256i codes(__m256i low, __m256i top, size_t part) {
    const __m256i nibble = part < 2 ? low : _mm256_srli_epi16(low, 4);
    const int shift = 2 * static_cast<int>(part) - 4;
    const __m256i pair = shift > 0 ? _mm256_srli_epi16(top, shift) : _mm256_slli_epi16(top, -shift);
    return _mm256_or_si256(_mm256_and_si256(nibble, _mm256_set1_epi8(15)),
                           _mm256_and_si256(pair, _mm256_set1_epi8(0x30)));
  }

  static void add(const uint8_t* weights, const Q8Row& x, size_t index, Sum& sum) {
    // Scales of even groups, then of odd ones, as those are the halves of 32 weights.
    const __m128i order = _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(weights + 192));
    const __m256i scale = _mm256_cvtepi8_epi16(_mm_shuffle_epi8(bytes, order));
    __m256 dot = _mm256_setzero_ps();
#pragma GCC unroll 8
    for (size_t g = 0; g < 8; ++g) {
      const __m256i low = load_256(weights + 64 * (g / 4) + 32 * (g % 2));
      const __m256i top = load_256(weights + 128 + 32 * (g / 4));
      const size_t group = index * 8 + g;
      const __m256i q = load_256(x.q + group * kGroup);
      // |Σ| ≤ 2 · 63 · 127. The zero point's part is of x alone, and computed once for four rows.
      const __m256i sums = _mm256_sub_epi16(_mm256_maddubs_epi16(codes(low, top, g % 4), q),
                                            _mm256_maddubs_epi16(_mm256_set1_epi8(Q6_K::kZero), q));
      const __m256i scaled = _mm256_madd_epi16(sums, repeat_word(scale, g));
      dot = _mm256_fmadd_ps(_mm256_cvtepi32_ps(scaled), _mm256_broadcast_ss(x.d + group), dot);
    }
    sum = _mm256_fmadd_ps(dot, _mm256_set1_ps(load_f16c(weights + 208)), sum);
  }
};

template <class Codec>
void add(Kernels& kernels) {
  WeightKernels& of_type = weights_of(kernels, Codec::kType);
  of_type.gemv = four_row_gemv<KDot<Codec>>;
  of_type.gather_dot = four_row_gather<KDot<Codec>>;
  of_type.gemm_tokens = kDotTokens;
}

}  // namespace

void avx2::add_dots_k(Kernels& kernels) {
  add<Q4_K>(kernels);
  add<Q5_K>(kernels);
  add<Q6_K>(kernels);
}

}  // namespace hearth
#endif
