// Dot products of the formats with blocks of 32 on AVX2: four blocks a step.
#if defined(__x86_64__)
#include "avx2-codes.h"
#include "avx2.h"

namespace hearth {
namespace {

// Codes of four or five bits, as bytes.
template <class Codec>
__m256i codes(const uint8_t* b) {
  if constexpr (Codec::kBits == 4) return nibbles_256(b + Codec::kNibbles);
  if constexpr (Codec::kBits == 5) {
    return _mm256_or_si256(nibbles_256(b + Codec::kNibbles), fifth_bits_256(b + Codec::kHighBits));
  }
}

// Weights less their zero point, as bytes.
template <class Codec>
__m256i signed_weights(const uint8_t* b) {
  return _mm256_sub_epi8(codes<Codec>(b), _mm256_set1_epi8(Codec::kZero));
}

template <>
inline __m256i signed_weights<Q8_0>(const uint8_t* b) {
  return load_256(b + 2);
}

template <class Codec>
struct Q32Dot {
  using Format = Codec;
  static constexpr size_t kBlocks = 4, kBytes = kBlocks * Codec::kBytes;
  using Sum = Avx2Sum;
  static Sum start() { return zero_sum(); }
  static float finish(const Sum& sum) { return finish_sum(sum); }

  static void add(const uint8_t* weights, const Q8Row& x, size_t index, Sum& sum) {
    for (size_t i = 0; i < kBlocks; ++i) {
      const uint8_t* b = weights + i * Codec::kBytes;
      const size_t g = index * kBlocks + i;
      const __m256i q = load_256(x.q + g * kGroup);
      if constexpr (Codec::kHasMinimum) {
        add_scaled(sum, dot_unsigned(codes<Codec>(b), q), load_f16c(b) * x.d[g]);
        sum.minimum -= load_f16c(b + 2) * x.d_sum[g];
      } else {
        add_scaled(sum, dot_signed(signed_weights<Codec>(b), q), load_f16c(b) * x.d[g]);
      }
    }
  }
};

// Against dot products in integers a panel of f32 pays late (2048 x 2048, Zen 4): for Q8_0 from 40
// tokens on, for Q4_0 from more.
constexpr size_t kGemmTokens = 32;

template <class Codec>
void add(Kernels& kernels) {
  WeightKernels& of_type = weights_of(kernels, Codec::kType);
  of_type.gemv = four_row_gemv<Q32Dot<Codec>>;
  of_type.gather_dot = four_row_gather<Q32Dot<Codec>>;
  of_type.gemm_tokens = kGemmTokens;
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
