// Dot products of the K-quants with two-bit pairs (Q2_K, Q3_K) on AVX2: one block a step. Every lane
// of 32 bits sums one group of sixteen elements, by the order of x in `quads`. Layouts: codecs-k.h.
#if defined(__x86_64__)
#include "avx2-codes.h"
#include "avx2.h"

namespace hearth {
namespace {

// Lanes {0, 2, 4, 6, 1, 3, 5, 7} of half a block are its groups: four with their even places, then
// four with the odd ones. Lane j of four has the bits 2j, which are multiplied where they lie, but
// no higher than bit 3: by 1 or by 4.

// Codes of step s of half a block, bits 0-3 of whose pairs lie in `low` and bits 4-7 in `high`.
template <int kStep>
inline __m256i pairs_of(__m256i low, __m256i high) {
  const __m256i both = _mm256_castps_si256(
      _mm256_shuffle_ps(_mm256_castsi256_ps(low), _mm256_castsi256_ps(high), kStep * 0x55));
  return _mm256_and_si256(both, _mm256_set1_epi64x(0x0c0c0c0c03030303));
}

// The sixteen scales of a block, one byte each, the minima in their high bits if there are any.
inline __m128i scale_bytes(Q2_K, const uint8_t* b) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(b));
}

inline __m128i scale_bytes(Q3_K, const uint8_t* b) {
  const __m128i packed = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(b + Q3_K::kScales));
  const __m128i low = _mm_unpacklo_epi64(packed, _mm_srli_epi16(packed, 4));
  const __m128i top = _mm_set1_epi32(static_cast<int>(load_u32(b + Q3_K::kScales + 8)));
  const __m128i high =
      _mm_sllv_epi32(_mm_srlv_epi32(top, _mm_setr_epi32(0, 0, 0, 2)), _mm_setr_epi32(4, 2, 0, 0));
  return _mm_or_si128(_mm_and_si128(low, _mm_set1_epi8(15)),
                      _mm_and_si128(high, _mm_set1_epi8(0x30)));
}

// Bytes of half a block by lanes, each twice, in the low bytes of 16 bits; the high ones are zero.
inline __m256i spread_bytes(__m128i bytes, size_t half) {
  const __m256i own = _mm256_setr_epi8(0, -1, 0, -1, 2, -1, 2, -1, 4, -1, 4, -1, 6, -1, 6, -1,  //
                                       1, -1, 1, -1, 3, -1, 3, -1, 5, -1, 5, -1, 7, -1, 7, -1);
  // Negative places stay negative: they give zero.
  const __m256i pick = _mm256_or_si256(own, _mm256_set1_epi16(half == 0 ? 0 : 8));
  return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(bytes), pick);
}

// d of the four groups of 32 of half a block by lanes, less what their codes are multiplied by.
inline __m256 spread_d(const Q8Row& x, size_t index, size_t half) {
  const __m256 d = _mm256_broadcast_ps(reinterpret_cast<const __m128*>(x.d + 8 * index + 4 * half));
  return _mm256_mul_ps(d, _mm256_setr_ps(1, 0.25f, 1, 0.25f, 1, 0.25f, 1, 0.25f));
}

template <class Codec>
struct PairDot {
  using Format = Codec;
  static constexpr size_t kBytes = Codec::kBytes;
  using Sum = __m256;
  static Sum start() { return _mm256_setzero_ps(); }
  static float finish(Sum sum) { return sum_of_lanes(sum); }

  template <int kStep>
  static __m256i product(__m256i low, __m256i high, __m256i tops, const int8_t* q) {
    __m256i code = pairs_of<kStep>(low, high);
    if constexpr (Codec::kBits == 3) {
      // Bit j of a dword of `tops` belongs to lane j.
      const __m256i four = _mm256_set1_epi64x(0x1010101004040404);
      const __m256i top = _mm256_sllv_epi32(_mm256_shuffle_epi32(tops, kStep * 0x55),
                                            _mm256_setr_epi32(2, 3, 0, 1, 2, 3, 0, 1));
      code = _mm256_or_si256(code, _mm256_and_si256(top, four));
    }
    return _mm256_maddubs_epi16(code, load_256(q + 64 * kStep));
  }

  // Σ code·q of half a block, two sums of 16 bits a lane: |Σ| ≤ 8 · 28 · 127.
  static __m256i sums(const uint8_t* weights, size_t half, const int8_t* q) {
    const __m256i low = load_256(weights + Codec::kPairs + 32 * half);
    const __m256i high = _mm256_srli_epi16(low, 4);
    __m256i tops = _mm256_setzero_si256();
    if constexpr (Codec::kBits == 3) {
      tops = half == 0 ? load_256(weights) : _mm256_srli_epi16(load_256(weights), 4);
    }
    return _mm256_add_epi16(
        _mm256_add_epi16(product<0>(low, high, tops, q), product<1>(low, high, tops, q)),
        _mm256_add_epi16(product<2>(low, high, tops, q), product<3>(low, high, tops, q)));
  }

  // Σ zero·q of half a block, as sums() has it. Of x alone: four rows together compute it once.
  static __m256i zero_sums(const int8_t* q) {
    const __m256i zero = _mm256_set1_epi64x(0x1010101004040404);
    __m256i sum = _mm256_maddubs_epi16(zero, load_256(q));
    for (size_t s = 1; s < 4; ++s) {
      sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(zero, load_256(q + 64 * s)));
    }
    return sum;
  }

  static void add(const uint8_t* weights, const Q8Row& x, size_t index, Sum& sum) {
    const __m128i bytes = scale_bytes(Codec{}, weights);
    __m256 dot = _mm256_setzero_ps();
    __m256 minimum = _mm256_setzero_ps();
#pragma GCC unroll 2
    for (size_t half = 0; half < 2; ++half) {
      const int8_t* q = x.quads + index * kKBlock + 32 * half;
      __m256i scale = spread_bytes(bytes, half);
      __m256i codes = sums(weights, half, q);
      if constexpr (Codec::kHasMinimum) {
        const __m256 own = _mm256_cvtepi32_ps(_mm256_srli_epi32(scale, 20));
        scale = _mm256_and_si256(scale, _mm256_set1_epi16(15));
        minimum = _mm256_fmadd_ps(own, spread_d_sum(x, index, half), minimum);
      } else {
        scale = _mm256_sub_epi16(scale, _mm256_set1_epi16(32));
        codes = _mm256_sub_epi16(codes, zero_sums(q));
      }
      const __m256 scaled = _mm256_cvtepi32_ps(_mm256_madd_epi16(codes, scale));
      dot = _mm256_fmadd_ps(scaled, spread_d(x, index, half), dot);
    }
    if constexpr (Codec::kHasMinimum) {
      const __m128 d =
          _mm_cvtph_ps(_mm_cvtsi32_si128(static_cast<int>(load_u32(weights + Q2_K::kScales))));
      sum = _mm256_fmadd_ps(dot, _mm256_broadcastss_ps(d), sum);
      sum = _mm256_fnmadd_ps(minimum, _mm256_broadcastss_ps(_mm_movehdup_ps(d)), sum);
    } else {
      sum = _mm256_fmadd_ps(dot, _mm256_set1_ps(load_f16c(weights + Q3_K::kD)), sum);
    }
  }

  static __m256 spread_d_sum(const Q8Row& x, size_t index, size_t half) {
    return _mm256_permutevar8x32_ps(_mm256_loadu_ps(x.d_sum16 + 16 * index + 8 * half),
                                    _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7));
  }
};

template <class Codec>
void add(Kernels& kernels) {
  WeightKernels& of_type = weights_of(kernels, Codec::kType);
  of_type.gemv = four_row_gemv<PairDot<Codec>>;
  of_type.gather_dot = four_row_gather<PairDot<Codec>>;
  of_type.gemm_tokens = kDotTokens;
}

}  // namespace

void avx2::add_dots_pairs(Kernels& kernels) {
  add<Q2_K>(kernels);
  add<Q3_K>(kernels);
}

}  // namespace hearth
#endif
