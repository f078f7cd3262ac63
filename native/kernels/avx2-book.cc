// Dot products of the types with a book (IQ4_NL, IQ4_XS, MXFP4) on AVX2: a byte shuffle looks up
// sixteen values by their nibbles. Four groups of 32 go together, in the order of x in `interleaved`.
#if defined(__x86_64__)
#include "avx2-codes.h"
#include "avx2.h"

namespace hearth {
namespace {

// Bytes of a table for the nibbles of two groups of 32: their elements 0-15, then 16-31.
struct TwoGroups {
  __m256i low;
  __m256i high;
};

inline TwoGroups look_up(__m128i table, __m256i packed) {
  const __m256i values = _mm256_broadcastsi128_si256(table);
  const __m256i nibble = _mm256_set1_epi8(15);
  return {_mm256_shuffle_epi8(values, _mm256_and_si256(packed, nibble)),
          _mm256_shuffle_epi8(values, _mm256_and_si256(_mm256_srli_epi16(packed, 4), nibble))};
}

// Σ value·q as |q| · (value with the sign of q): no value is −128, and |q|, which is of x alone, is
// computed once for four rows together.
inline __m256i dot_values(__m256i value, __m256i q) {
  return dot_unsigned(_mm256_abs_epi8(q), _mm256_sign_epi8(value, q));
}

// Σ value·q of two groups of 32, four lanes each, given their sixteen bytes of nibbles each. q: 32
// bytes with their elements 0-15, and 64 bytes later the others.
template <class Codec>
inline __m256i dot_two_groups(__m256i packed, const int8_t* q) {
  const TwoGroups w =
      look_up(_mm_load_si128(reinterpret_cast<const __m128i*>(Codec::kBook)), packed);
  return _mm256_add_epi32(dot_values(w.low, load_256(q)), dot_values(w.high, load_256(q + 64)));
}

// Values of at most 12 are held plus 12, for products of u8 by s8: |Σ| ≤ 4 · 24 · 127. 12 Σ q is of x
// alone, and computed once for four rows together.
template <>
inline __m256i dot_two_groups<MXFP4>(__m256i packed, const int8_t* q) {
  const __m256i zero = _mm256_set1_epi8(12);
  const __m128i book = _mm_load_si128(reinterpret_cast<const __m128i*>(kFp4Book));
  const TwoGroups code = look_up(_mm_add_epi8(book, _mm_set1_epi8(12)), packed);
  const __m256i first = load_256(q);
  const __m256i second = load_256(q + 64);
  const __m256i zeros =
      _mm256_add_epi16(_mm256_maddubs_epi16(zero, first), _mm256_maddubs_epi16(zero, second));
  const __m256i sums = _mm256_add_epi16(_mm256_maddubs_epi16(code.low, first),
                                        _mm256_maddubs_epi16(code.high, second));
  return _mm256_madd_epi16(_mm256_sub_epi16(sums, zeros), _mm256_set1_epi16(1));
}

// Scales of four blocks in the lanes of four groups. Blocks 1 and 3 begin two bytes, or one, behind
// the half of a load.
inline __m256 scales(IQ4_NL, const uint8_t* b) {
  const __m256i pick = _mm256_setr_epi8(0, 1, 0, 1, 4, 5, 4, 5, -1, -1, -1, -1, -1, -1, -1, -1,  //
                                        2, 3, 2, 3, 6, 7, 6, 7, -1, -1, -1, -1, -1, -1, -1, -1);
  const __m256i heads = _mm256_unpacklo_epi32(load_256(b), load_256(b + 36));
  const __m256i words = _mm256_permute4x64_epi64(_mm256_shuffle_epi8(heads, pick), 0x08);
  return _mm256_cvtph_ps(_mm256_castsi256_si128(words));
}

inline __m256 scales(MXFP4, const uint8_t* b) {
  const __m256i pick =
      _mm256_setr_epi8(0, -1, -1, -1, 0, -1, -1, -1, 4, -1, -1, -1, 4, -1, -1, -1,  //
                       1, -1, -1, -1, 1, -1, -1, -1, 5, -1, -1, -1, 5, -1, -1, -1);
  const __m256i heads = _mm256_unpacklo_epi32(load_256(b), load_256(b + 34));
  const __m256i e = _mm256_shuffle_epi8(heads, pick);
  // 2^-127 is subnormal, and so is its half.
  const __m256i whole = _mm256_max_epi32(_mm256_slli_epi32(e, 23), _mm256_set1_epi32(0x00400000));
  return _mm256_mul_ps(_mm256_castsi256_ps(whole), _mm256_set1_ps(0.5f));
}

// Four blocks of 32 a step.
template <class Codec>
struct BookDot {
  using Format = Codec;
  static constexpr size_t kBytes = 4 * Codec::kBytes;
  using Sum = __m256;
  static Sum start() { return _mm256_setzero_ps(); }
  static float finish(Sum sum) { return sum_of_lanes(sum); }

  static void add(const uint8_t* weights, const Q8Row& x, size_t index, Sum& sum) {
    const uint8_t* packed = weights + Codec::kNibbles;
    const int8_t* q = x.interleaved + kSuper * index;
    const __m256i first = dot_two_groups<Codec>(join(packed, packed + Codec::kBytes), q);
    const __m256i second =
        dot_two_groups<Codec>(join(packed + 2 * Codec::kBytes, packed + 3 * Codec::kBytes), q + 32);
    const __m256 factor = _mm256_mul_ps(scales(Codec{}, weights), spread_four(x.d + 4 * index));
    sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(join_pairs(first, second)), factor, sum);
  }
};

// One block of 256 a step.
template <>
struct BookDot<IQ4_XS> {
  using Format = IQ4_XS;
  static constexpr size_t kBytes = IQ4_XS::kBytes;
  using Sum = __m256;
  static Sum start() { return _mm256_setzero_ps(); }
  static float finish(Sum sum) { return sum_of_lanes(sum); }

  static void add(const uint8_t* weights, const Q8Row& x, size_t index, Sum& sum) {
    const __m256 scale = iq4_xs_scales(weights);
#pragma GCC unroll 2
    for (size_t half = 0; half < 2; ++half) {
      const uint8_t* packed = weights + IQ4_XS::kNibbles + 64 * half;
      const int8_t* q = x.interleaved + kKBlock * index + kSuper * half;
      const __m256i first = dot_two_groups<IQ4_XS>(load_256(packed), q);
      const __m256i second = dot_two_groups<IQ4_XS>(load_256(packed + 32), q + 32);
      const __m256i own = _mm256_setr_epi32(0, 0, 2, 2, 1, 1, 3, 3);
      const __m256i lanes = _mm256_add_epi32(own, _mm256_set1_epi32(static_cast<int>(4 * half)));
      const __m256 factor = _mm256_mul_ps(_mm256_permutevar8x32_ps(scale, lanes),
                                          spread_four(x.d + 8 * index + 4 * half));
      sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(join_pairs(first, second)), factor, sum);
    }
  }
};

template <class Codec>
void add(Kernels& kernels) {
  WeightKernels& of_type = weights_of(kernels, Codec::kType);
  of_type.gemv = four_row_gemv<BookDot<Codec>>;
  of_type.gather_dot = four_row_gather<BookDot<Codec>>;
  of_type.gemm_tokens = kDotTokens;
}

}  // namespace

void avx2::add_dots_book(Kernels& kernels) {
  add<IQ4_NL>(kernels);
  add<IQ4_XS>(kernels);
  add<MXFP4>(kernels);
}

}  // namespace hearth
#endif
