// Dot products of the types with a book (IQ4_NL, IQ4_XS, MXFP4) on AVX-512 VNNI and VBMI. A byte
// permutation looks up values by the low six bits of an index: the sixteen are held four times, so
// that nothing but the four bits of a nibble counts. They are held plus 128, for a product of u8 by
// s8, and 128 Σ q is subtracted by the value from which the sum starts.
#if defined(__x86_64__)
#include <immintrin.h>

#include "avx512-codes.h"
#include "avx512.h"
#include "four-rows.h"

namespace hearth {
namespace {

// Σ value·q of four groups of 32, given their 64 bytes of nibbles: lanes 4b … 4b + 3 belong to
// group b. q: from x.interleaved; start8: from x.start8.
inline __m512i dot_four_groups(const int8_t* book, __m512i packed, const int8_t* q,
                               const int32_t* start8) {
  const __m512i values = _mm512_broadcast_i32x4(book_codes(book));
  const __m512i low = _mm512_permutexvar_epi8(packed, values);
  const __m512i high = _mm512_permutexvar_epi8(_mm512_srli_epi16(packed, 4), values);
  __m512i sum = _mm512_slli_epi32(_mm512_loadu_si512(start8), 4);
  sum = _mm512_dpbusd_epi32(sum, low, _mm512_loadu_si512(q));
  return _mm512_dpbusd_epi32(sum, high, _mm512_loadu_si512(q + 64));
}

// Lanes 4b … 4b + 3 of the result are lane first + b of `value`.
inline __m512 spread_four(__m512 value, int first) {
  const __m512i own = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
  return _mm512_permutexvar_ps(_mm512_add_epi32(own, _mm512_set1_epi32(first)), value);
}

// Where the nibbles of four blocks lie: byte kBytes · b + kNibbles + i of a step is of the first 64
// bytes, or else of the last 64, whose places count from 64 on.
template <class Codec>
struct NibblePlaces {
  alignas(64) uint8_t place[64] = {};
  constexpr NibblePlaces() {
    for (size_t i = 0; i < 64; ++i) {
      const size_t at = Codec::kBytes * (i / 16) + Codec::kNibbles + i % 16;
      place[i] = static_cast<uint8_t>(at < 64 ? at : at - (4 * Codec::kBytes - 64) + 64);
    }
  }
};

template <class Codec>
constexpr NibblePlaces<Codec> kPlaces;

// Scales of four blocks, each in four lanes, given the first 64 bytes of a step.
inline __m512 scales(IQ4_NL, __m512i head) {
  const __m256i pick = _mm256_set_epi16(27, 27, 27, 27, 18, 18, 18, 18, 9, 9, 9, 9, 0, 0, 0, 0);
  const __m512i words = _mm512_permutexvar_epi16(_mm512_castsi256_si512(pick), head);
  return _mm512_cvtph_ps(_mm512_castsi512_si256(words));
}

inline __m512 scales(MXFP4, __m512i head) {
  const __m512i pick = _mm512_set_epi32(51, 51, 51, 51, 34, 34, 34, 34, 17, 17, 17, 17, 0, 0, 0, 0);
  constexpr __mmask64 kLowBytes = 0x1111111111111111;
  const __m512i e = _mm512_maskz_permutexvar_epi8(kLowBytes, pick, head);
  // 2^-127 is subnormal, and so is its half.
  const __m512i whole = _mm512_max_epi32(_mm512_slli_epi32(e, 23), _mm512_set1_epi32(0x00400000));
  return _mm512_mul_ps(_mm512_castsi512_ps(whole), _mm512_set1_ps(0.5f));
}

// Four blocks of 32 a step.
template <class Codec>
struct BookDot {
  using Format = Codec;
  static constexpr size_t kBytes = 4 * Codec::kBytes;
  using Sum = __m512;
  static Sum start() { return _mm512_setzero_ps(); }
  static float finish(Sum sum) { return _mm512_reduce_add_ps(sum); }

  static void add(const uint8_t* weights, const Q8Row& x, size_t index, Sum& sum) {
    const __m512i head = _mm512_loadu_si512(weights);
    const __m512i tail = _mm512_loadu_si512(weights + kBytes - 64);
    const __m512i packed =
        _mm512_permutex2var_epi8(head, _mm512_load_si512(kPlaces<Codec>.place), tail);
    const __m512i dot = dot_four_groups(Codec::kBook, packed, x.interleaved + kSuper * index,
                                        x.start8 + 16 * index);
    const __m512 d = spread_four(_mm512_castps128_ps512(_mm_loadu_ps(x.d + 4 * index)), 0);
    sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), _mm512_mul_ps(scales(Codec{}, head), d), sum);
  }
};

// One block of 256 a step.
template <>
struct BookDot<IQ4_XS> {
  using Format = IQ4_XS;
  static constexpr size_t kBytes = IQ4_XS::kBytes;
  using Sum = __m512;
  static Sum start() { return _mm512_setzero_ps(); }
  static float finish(Sum sum) { return _mm512_reduce_add_ps(sum); }

  static void add(const uint8_t* weights, const Q8Row& x, size_t index, Sum& sum) {
    const __m512 factor = _mm512_castps256_ps512(
        _mm256_mul_ps(iq4_xs_scales(weights), _mm256_loadu_ps(x.d + 8 * index)));
    for (size_t half = 0; half < 2; ++half) {
      const size_t at = 2 * index + half;
      const __m512i packed = _mm512_loadu_si512(weights + IQ4_XS::kNibbles + 64 * half);
      const __m512i dot =
          dot_four_groups(IQ4_XS::kBook, packed, x.interleaved + kSuper * at, x.start8 + 16 * at);
      sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot),
                            spread_four(factor, static_cast<int>(4 * half)), sum);
    }
  }
};

template <class Codec>
void add(Kernels& kernels) {
  WeightKernels& of_type = weights_of(kernels, Codec::kType);
  of_type.gemv = four_row_gemv<BookDot<Codec>>;
  of_type.gather_dot = four_row_gather<BookDot<Codec>>;
}

}  // namespace

void avx512::add_dots_book(Kernels& kernels) {
  add<IQ4_NL>(kernels);
  add<IQ4_XS>(kernels);
  add<MXFP4>(kernels);
}

}  // namespace hearth
#endif
