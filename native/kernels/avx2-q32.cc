// Dot products of the formats with blocks of 32 on AVX2: four blocks a step. Those with nibbles go in
// the order of x in `interleaved`.
#if defined(__x86_64__)
#include "avx2-codes.h"
#include "avx2.h"

namespace hearth {
namespace {

// Codes of two blocks: their elements 0-15, then 16-31.
struct TwoBlocks {
  __m256i low;
  __m256i high;
};

// 16 in byte i of half a block where bit i of `bits` is set, of two bytes that `which` picks.
inline __m256i fifth_bits(__m256i bits, __m256i which) {
  const __m256i bit = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201u));
  const __m256i spread = _mm256_shuffle_epi8(bits, which);
  const __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(spread, bit), bit);
  return _mm256_and_si256(set, _mm256_set1_epi8(16));
}

template <class Codec>
TwoBlocks codes(const uint8_t* b) {
  const __m256i packed = join(b + Codec::kNibbles, b + Codec::kBytes + Codec::kNibbles);
  const __m256i nibble = _mm256_set1_epi8(15);
  TwoBlocks code = {_mm256_and_si256(packed, nibble),
                    _mm256_and_si256(_mm256_srli_epi16(packed, 4), nibble)};
  if constexpr (Codec::kBits == 5) {
    const uint32_t first = load_u32(b + Codec::kHighBits);
    const uint32_t second = load_u32(b + Codec::kBytes + Codec::kHighBits);
    const __m256i bits = _mm256_setr_epi32(static_cast<int>(first), 0, 0, 0,  //
                                           static_cast<int>(second), 0, 0, 0);
    const __m256i bytes = _mm256_broadcastsi128_si256(_mm_set_epi64x(0x0101010101010101, 0));
    const __m256i later = _mm256_add_epi8(bytes, _mm256_set1_epi8(2));
    code.low = _mm256_or_si256(code.low, fifth_bits(bits, bytes));
    code.high = _mm256_or_si256(code.high, fifth_bits(bits, later));
  }
  return code;
}

// Σ (code − zero)·q of two blocks, four lanes each: |Σ code·q| ≤ 4 · 31 · 127. zero Σ q is of x alone,
// and computed once for four rows together. q: 32 bytes with elements 0-15 of both blocks, and 64
// bytes later the others.
template <class Codec>
__m256i dot_two_blocks(const uint8_t* b, const int8_t* q) {
  const TwoBlocks code = codes<Codec>(b);
  const __m256i first = load_256(q);
  const __m256i second = load_256(q + 64);
  __m256i sums = _mm256_add_epi16(_mm256_maddubs_epi16(code.low, first),
                                  _mm256_maddubs_epi16(code.high, second));
  if constexpr (Codec::kZero != 0) {
    const __m256i zero = _mm256_set1_epi8(Codec::kZero);
    sums = _mm256_sub_epi16(sums, _mm256_add_epi16(_mm256_maddubs_epi16(zero, first),
                                                   _mm256_maddubs_epi16(zero, second)));
  }
  return _mm256_madd_epi16(sums, _mm256_set1_epi16(1));
}

// The first four bytes of four blocks: scales, and minima behind them.
template <class Codec>
__m128i heads(const uint8_t* b) {
  return _mm_setr_epi32(static_cast<int>(load_u32(b)),
                        static_cast<int>(load_u32(b + Codec::kBytes)),
                        static_cast<int>(load_u32(b + 2 * Codec::kBytes)),
                        static_cast<int>(load_u32(b + 3 * Codec::kBytes)));
}

template <class Codec>
struct Q32Dot {
  using Format = Codec;
  static constexpr size_t kBytes = 4 * Codec::kBytes;
  using Sum = __m256;
  static Sum start() { return _mm256_setzero_ps(); }
  static float finish(Sum sum) { return sum_of_lanes(sum); }

  static void add(const uint8_t* weights, const Q8Row& x, size_t index, Sum& sum) {
    const int8_t* q = x.interleaved + kSuper * index;
    const __m256i first = dot_two_blocks<Codec>(weights, q);
    const __m256i second = dot_two_blocks<Codec>(weights + 2 * Codec::kBytes, q + 32);
    const __m128i all = heads<Codec>(weights);
    const __m128i pick = _mm_setr_epi8(0, 1, 0, 1, 8, 9, 8, 9, 4, 5, 4, 5, 12, 13, 12, 13);
    const __m256 factor =
        _mm256_mul_ps(_mm256_cvtph_ps(_mm_shuffle_epi8(all, pick)), spread_four(x.d + 4 * index));
    sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(join_pairs(first, second)), factor, sum);
    if constexpr (Codec::kHasMinimum) {
      const __m128i behind =
          _mm_setr_epi8(2, 3, 6, 7, 10, 11, 14, 15, -1, -1, -1, -1, -1, -1, -1, -1);
      const __m128 minimum = _mm_cvtph_ps(_mm_shuffle_epi8(all, behind));
      const __m128 d_sum = _mm_loadu_ps(x.d_sum + 4 * index);
      sum = _mm256_fmadd_ps(_mm256_zextps128_ps256(minimum), _mm256_zextps128_ps256(d_sum), sum);
    }
  }
};

template <>
struct Q32Dot<Q8_0> {
  using Format = Q8_0;
  static constexpr size_t kBlocks = 4, kBytes = kBlocks * Q8_0::kBytes;
  using Sum = __m256;
  static Sum start() { return _mm256_setzero_ps(); }
  static float finish(Sum sum) { return sum_of_lanes(sum); }

  static void add(const uint8_t* weights, const Q8Row& x, size_t index, Sum& sum) {
    for (size_t i = 0; i < kBlocks; ++i) {
      const uint8_t* b = weights + i * Q8_0::kBytes;
      const size_t g = index * kBlocks + i;
      const __m256i dot = dot_signed(load_256(b + 2), load_256(x.q + g * kGroup));
      sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot), _mm256_set1_ps(load_f16c(b) * x.d[g]), sum);
    }
  }
};

template <class Codec>
void add(Kernels& kernels) {
  WeightKernels& of_type = weights_of(kernels, Codec::kType);
  of_type.gemv = four_row_gemv<Q32Dot<Codec>>;
  of_type.gather_dot = four_row_gather<Q32Dot<Codec>>;
  of_type.gemm_tokens = kDotTokens;
}

}  // namespace

void avx2::add_dots_32(Kernels& kernels) {
  add<Q8_0>(kernels);
  add<Q4_0>(kernels);
  add<Q4_1>(kernels);
  add<Q5_0>(kernels);
  add<Q5_1>(kernels);
}

}  // namespace hearth
#endif
