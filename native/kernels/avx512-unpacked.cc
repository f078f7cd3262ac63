// Dot products of the types that no other unit unpacks in registers, on AVX-512 VNNI: the codec
// writes the codes of a step to memory, where they are multiplied.
#if defined(__x86_64__)
#include <immintrin.h>

#include "avx512-codes.h"
#include "avx512.h"
#include "four-rows.h"

namespace hearth {
namespace {

// A step is a block of 256, or two of 64: x is padded to 128.
template <class Codec>
struct UnpackedDot {
  using Format = Codec;
  static constexpr size_t kStep = Codec::kBlock == kKBlock ? kKBlock : kSuper;
  static constexpr size_t kBlocks = kStep / Codec::kBlock;
  static constexpr size_t kParts = Codec::kBlock / Codec::kSubGroup;
  static constexpr size_t kBytes = kBlocks * Codec::kBytes;
  static_assert(!Codec::kHasMinimum && (Codec::kZero == 128 || Codec::kZero == 1),
                "what is subtracted is a share of start128");
  using Sum = __m512;
  static Sum start() { return _mm512_setzero_ps(); }
  static float finish(Sum sum) { return _mm512_reduce_add_ps(sum); }

  // −zero · Σ q of each four elements of chunk j.
  static __m512i start_of(const Q8Row& x, size_t index, size_t j) {
    const __m512i start = _mm512_loadu_si512(x.start128 + kStep / 4 * index + 16 * j);
    return Codec::kZero == 128 ? start : _mm512_srai_epi32(start, 7);
  }

  // Scale times d of the groups: up to sixteen of 16 elements or, in the low half, eight of 32.
  static __m512 factors(const float* scale, const float* d) {
    const __m256 eight = _mm256_loadu_ps(d);
    if constexpr (Codec::kSubGroup == kGroup) {
      return _mm512_castps256_ps512(_mm256_mul_ps(_mm256_loadu_ps(scale), eight));
    }
    const __m512i twice = _mm512_set_epi32(7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0);
    return _mm512_mul_ps(_mm512_loadu_ps(scale),
                         _mm512_permutexvar_ps(twice, _mm512_castps256_ps512(eight)));
  }

  static void add(const uint8_t* weights, const Q8Row& x, size_t index, Sum& sum) {
    alignas(64) uint8_t code[kStep];
    float scale[16] = {};
    for (size_t b = 0; b < kBlocks; ++b) {
      Codec::unpack(weights + b * Codec::kBytes, code + b * Codec::kBlock, scale + b * kParts,
                    nullptr);
    }
    const __m512 factor = factors(scale, x.d + kStep / kGroup * index);
    const __m512i fours = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
    const __m512i own = Codec::kSubGroup == kGroup ? _mm512_srli_epi32(fours, 1) : fours;
    constexpr size_t kPerChunk = kChunk / Codec::kSubGroup;
    for (size_t j = 0; j < kStep / kChunk; ++j) {
      const __m512i dot =
          _mm512_dpbusd_epi32(start_of(x, index, j), _mm512_load_si512(code + kChunk * j),
                              _mm512_loadu_si512(x.q + kStep * index + kChunk * j));
      const __m512i pick =
          _mm512_add_epi32(own, _mm512_set1_epi32(static_cast<int>(kPerChunk * j)));
      sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), _mm512_permutexvar_ps(pick, factor), sum);
    }
  }
};

template <class Codec>
void add(Kernels& kernels) {
  WeightKernels& of_type = weights_of(kernels, Codec::kType);
  of_type.gemv = four_row_gemv<UnpackedDot<Codec>>;
  of_type.gather_dot = four_row_gather<UnpackedDot<Codec>>;
}

}  // namespace

void avx512::add_dots_unpacked(Kernels& kernels) {
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
