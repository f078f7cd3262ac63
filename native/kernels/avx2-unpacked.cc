// Dot products of the types that no other unit unpacks in registers, on AVX2: the codec writes the
// codes of a block to memory, where they are multiplied.
#if defined(__x86_64__)
#include "avx2-codes.h"
#include "avx2.h"

namespace hearth {
namespace {

template <class Codec>
struct UnpackedDot {
  using Format = Codec;
  static constexpr size_t kParts = Codec::kBlock / Codec::kSubGroup;
  static constexpr size_t kBytes = Codec::kBytes;
  static_assert(!Codec::kHasMinimum, "the codes less the zero point are the weights");
  using Sum = __m256;
  static Sum start() { return _mm256_setzero_ps(); }
  static float finish(Sum sum) { return sum_of_lanes(sum); }

  // For the lanes of 32 weights, of one group or of two.
  static __m256 factor(const float* scale, float d) {
    if constexpr (Codec::kSubGroup == kGroup) return _mm256_set1_ps(scale[0] * d);
    return _mm256_set_m128(_mm_set1_ps(scale[1] * d), _mm_set1_ps(scale[0] * d));
  }

  static void add(const uint8_t* weights, const Q8Row& x, size_t index, Sum& sum) {
    alignas(32) uint8_t code[Codec::kBlock];
    float scale[kParts];
    Codec::unpack(weights, code, scale, nullptr);
    for (size_t g = 0; g < Codec::kBlock / kGroup; ++g) {
      const size_t group = index * (Codec::kBlock / kGroup) + g;
      const __m256i w = _mm256_sub_epi8(load_256(code + kGroup * g),
                                        _mm256_set1_epi8(static_cast<char>(Codec::kZero)));
      const __m256 dot = _mm256_cvtepi32_ps(dot_signed(w, load_256(x.q + group * kGroup)));
      const float* scales = scale + g * (kGroup / Codec::kSubGroup);
      sum = _mm256_fmadd_ps(dot, factor(scales, x.d[group]), sum);
    }
  }
};

// A panel of f32, whose rows are unpacked once, pays from 2 tokens on for most, from 4 for IQ1_S and
// TQ2_0, for which it takes 1.7 times as long with 2 (64 x 2048, Zen 4).
constexpr size_t kGemmTokens = 4;

template <class Codec>
void add(Kernels& kernels) {
  WeightKernels& of_type = weights_of(kernels, Codec::kType);
  of_type.gemv = four_row_gemv<UnpackedDot<Codec>>;
  of_type.gather_dot = four_row_gather<UnpackedDot<Codec>>;
  of_type.gemm_tokens = kGemmTokens;
}

}  // namespace

void avx2::add_dots_unpacked(Kernels& kernels) {
  add<IQ3_XXS>(kernels);
  add<IQ3_S>(kernels);
  add<IQ2_XXS>(kernels);
  add<IQ2_XS>(kernels);
  add<IQ2_S>(kernels);
  add<IQ1_S>(kernels);
  add<IQ1_M>(kernels);
  add<TQ1_0>(kernels);
  add<TQ2_0>(kernels);
  add<NVFP4>(kernels);
}

}  // namespace hearth
#endif
