// Dot products of the K-quants with two-bit pairs (Q2_K, Q3_K) on AVX2: one block a step. Layouts:
// codecs-k.h.
#if defined(__x86_64__)
#include "avx2-codes.h"
#include "avx2.h"

namespace hearth {
namespace {

// The sixteen scales of a block, as whole numbers.
inline void whole_scales(Q2_K, const uint8_t* b, int16_t* scale) {
  const __m128i nibbles =
      _mm_and_si128(_mm_loadu_si128(reinterpret_cast<const __m128i*>(b)), _mm_set1_epi8(15));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(scale), _mm256_cvtepu8_epi16(nibbles));
}

inline void whole_scales(Q3_K, const uint8_t* b, int16_t* scale) {
  const uint32_t first = load_u32(b + Q3_K::kScales);
  const uint32_t second = load_u32(b + Q3_K::kScales + 4);
  const uint32_t top = load_u32(b + Q3_K::kScales + 8);
  const __m128i low = _mm_setr_epi32(static_cast<int>(first), static_cast<int>(second),
                                     static_cast<int>(first >> 4), static_cast<int>(second >> 4));
  const __m128i high =
      _mm_srlv_epi32(_mm_set1_epi32(static_cast<int>(top)), _mm_setr_epi32(0, 2, 4, 6));
  const __m128i six = _mm_or_si128(_mm_and_si128(low, _mm_set1_epi8(15)),
                                   _mm_slli_epi16(_mm_and_si128(high, _mm_set1_epi8(3)), 4));
  const __m128i centred = _mm_sub_epi8(six, _mm_set1_epi8(32));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(scale), _mm256_cvtepi8_epi16(centred));
}

// Per 32 weights two groups of 16: their scales multiply the 16-bit sums, |sum| ≤ 2 · 4 · 127.
template <class Codec>
struct PairDot {
  using Format = Codec;
  static constexpr size_t kBytes = Codec::kBytes;
  using Sum = Avx2Sum;
  static Sum start() { return zero_sum(); }
  static float finish(const Sum& sum) { return finish_sum(sum); }

  // Σ of each two codes less their zero point, times q, of the elements 32 · g ….
  static __m256i pair_sums(const uint8_t* weights, size_t g, __m256i q) {
    const __m256i bytes = load_256(weights + Codec::kPairs + 32 * (g / 4));
    const __m128i down = _mm_cvtsi32_si128(static_cast<int>(2 * (g % 4)));
    const __m256i code = _mm256_and_si256(_mm256_srl_epi16(bytes, down), _mm256_set1_epi8(3));
    if constexpr (Codec::kBits == 2) return _mm256_maddubs_epi16(code, q);
    // A high bit that is not set counts −4.
    const __m256i bit = _mm256_set1_epi8(static_cast<char>(1u << g));
    const __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(load_256(weights), bit), bit);
    const __m256i w = _mm256_sub_epi8(code, _mm256_andnot_si256(set, _mm256_set1_epi8(4)));
    return _mm256_maddubs_epi16(_mm256_sign_epi8(w, w), _mm256_sign_epi8(q, w));
  }

  static void add(const uint8_t* weights, const Q8Row& x, size_t index, Sum& sum) {
    int16_t scale[16];
    whole_scales(Codec{}, weights, scale);
    const float d = load_f16c(weights + (Codec::kBits == 2 ? Q2_K::kScales : Q3_K::kD));
    for (size_t g = 0; g < 8; ++g) {
      const size_t group = index * 8 + g;
      const __m256i sums = pair_sums(weights, g, load_256(x.q + group * kGroup));
      const __m256i factor =
          _mm256_set_m128i(_mm_set1_epi16(scale[2 * g + 1]), _mm_set1_epi16(scale[2 * g]));
      add_scaled(sum, _mm256_madd_epi16(sums, factor), d * x.d[group]);
    }
    if constexpr (Codec::kHasMinimum) subtract_minima(weights, x, index, sum);
  }

  static void subtract_minima(const uint8_t* weights, const Q8Row& x, size_t index, Sum& sum) {
    const __m256 d_minimum = _mm256_set1_ps(load_f16c(weights + Q2_K::kScales + 2));
    for (size_t half = 0; half < 2; ++half) {
      const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(weights + 8 * half));
      const __m256i minima = _mm256_srli_epi32(_mm256_cvtepu8_epi32(bytes), 4);
      const __m256 minimum = _mm256_mul_ps(_mm256_cvtepi32_ps(minima), d_minimum);
      sum.dot =
          _mm256_fnmadd_ps(minimum, _mm256_loadu_ps(x.d_sum16 + 16 * index + 8 * half), sum.dot);
    }
  }
};

// With 12 tokens a panel of f32 takes 1.1 (Q3_K) to 1.6 times (Q2_K) as long (64 x 2048, Zen 4).
constexpr size_t kGemmTokens = 16;

template <class Codec>
void add(Kernels& kernels) {
  WeightKernels& of_type = weights_of(kernels, Codec::kType);
  of_type.gemv = four_row_gemv<PairDot<Codec>>;
  of_type.gather_dot = four_row_gather<PairDot<Codec>>;
  of_type.gemm_tokens = kGemmTokens;
}

}  // namespace

void avx2::add_dots_pairs(Kernels& kernels) {
  add<Q2_K>(kernels);
  add<Q3_K>(kernels);
}

}  // namespace hearth
#endif
