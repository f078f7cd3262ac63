// Dot products of the K-quants (blocks of 256) on AVX2: one block a step. Layouts: codecs.h.
#if defined(__x86_64__)
#include "avx2-codes.h"
#include "avx2.h"

namespace hearth {
namespace {

// Q4_K and Q5_K: 32 bytes hold group 2j in their low nibbles and group 2j + 1 in their high ones.
template <class Codec>
struct KDot {
  using Format = Codec;
  static constexpr size_t kBytes = Codec::kBytes;
  using Sum = Avx2Sum;
  static Sum start() { return zero_sum(); }
  static float finish(const Sum& sum) { return finish_sum(sum); }

  // 16 in byte i where bit g of byte i is set.
  static __m256i fifth_bits(const uint8_t* weights, size_t g) {
    const __m256i bit = _mm256_set1_epi8(static_cast<char>(1u << g));
    const __m256i set =
        _mm256_cmpeq_epi8(_mm256_and_si256(load_256(weights + Codec::kHighBits), bit), bit);
    return _mm256_and_si256(set, _mm256_set1_epi8(16));
  }

  static void add(const uint8_t* weights, const Q8Row& x, size_t index, Sum& sum) {
    float scale[8];
    float minimum[8];
    unpack_k_scales(weights, scale, minimum);
    for (size_t g = 0; g < 8; ++g) {
      const __m256i packed = load_256(weights + Codec::kNibbles + g / 2 * 32);
      __m256i code =
          _mm256_and_si256(g % 2 ? _mm256_srli_epi16(packed, 4) : packed, _mm256_set1_epi8(15));
      if constexpr (Codec::kBits == 5) code = _mm256_or_si256(code, fifth_bits(weights, g));
      const size_t group = index * 8 + g;
      add_scaled(sum, dot_unsigned(code, load_256(x.q + group * kGroup)), scale[g] * x.d[group]);
      sum.minimum += minimum[g] * x.d_sum[group];
    }
  }
};

// Per 32 weights two groups of 16: their scales multiply the 16-bit sums.
template <>
struct KDot<Q6_K> {
  using Format = Q6_K;
  static constexpr size_t kBytes = Q6_K::kBytes;
  using Sum = Avx2Sum;
  static Sum start() { return zero_sum(); }
  static float finish(const Sum& sum) { return finish_sum(sum); }

  // Weights 32 · part … 32 · part + 31 of half a block. Bits 0-3 of their codes are the low (part 0
  // and 1) or high nibbles of 32 bytes; bits 4-5 are bits 2 · part and 2 · part + 1 of 32 others.
  static __m256i signed_weights(const uint8_t* weights, size_t half, size_t part) {
    const __m256i low = load_256(weights + 64 * half + 32 * (part % 2));
    const __m256i nibble = part < 2 ? low : _mm256_srli_epi16(low, 4);
    const __m256i top = load_256(weights + 128 + 32 * half);
    const __m256i pair = _mm256_srl_epi16(top, _mm_cvtsi32_si128(static_cast<int>(2 * part)));
    const __m256i high = _mm256_slli_epi16(_mm256_and_si256(pair, _mm256_set1_epi8(3)), 4);
    const __m256i code = _mm256_or_si256(_mm256_and_si256(nibble, _mm256_set1_epi8(15)), high);
    return _mm256_sub_epi8(code, _mm256_set1_epi8(Q6_K::kZero));
  }

  static void add(const uint8_t* weights, const Q8Row& x, size_t index, Sum& sum) {
    const float d = load_f16c(weights + 208);
    for (size_t g = 0; g < 8; ++g) {
      const __m256i w = signed_weights(weights, g / 4, g % 4);
      const __m256i q = load_256(x.q + (index * 8 + g) * kGroup);
      const __m256i pairs = _mm256_maddubs_epi16(_mm256_sign_epi8(w, w), _mm256_sign_epi8(q, w));
      const __m256i scale =
          _mm256_set_m128i(_mm_set1_epi16(static_cast<int8_t>(weights[192 + 2 * g + 1])),
                           _mm_set1_epi16(static_cast<int8_t>(weights[192 + 2 * g])));
      add_scaled(sum, _mm256_madd_epi16(pairs, scale), d * x.d[index * 8 + g]);
    }
  }
};

// Against dot products in integers a panel of f32 pays late (2048 x 2048, Zen 4): for Q4_K from 12
// tokens on.
constexpr size_t kGemmTokens = 12;

template <class Codec>
void add(Kernels& kernels) {
  WeightKernels& of_type = weights_of(kernels, Codec::kType);
  of_type.gemv = four_row_gemv<KDot<Codec>>;
  of_type.gather_dot = four_row_gather<KDot<Codec>>;
  of_type.gemm_tokens = kGemmTokens;
}

}  // namespace

void avx2::add_dots_k(Kernels& kernels) {
  add<Q4_K>(kernels);
  add<Q5_K>(kernels);
  add<Q6_K>(kernels);
}

}  // namespace hearth
#endif
