// Dot products of the types with a book (IQ4_NL, IQ4_XS, MXFP4) on AVX2: a byte shuffle looks up
// sixteen values by their nibbles.
#if defined(__x86_64__)
#include "avx2-codes.h"
#include "avx2.h"

namespace hearth {
namespace {

// Values of a group of 32, given its sixteen bytes of nibbles.
inline __m256i values_256(const int8_t* book, const uint8_t* packed) {
  const __m128i values = _mm_load_si128(reinterpret_cast<const __m128i*>(book));
  return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(values), nibbles_256(packed));
}

inline float scale_of(IQ4_NL, const uint8_t* b) { return load_f16c(b); }
inline float scale_of(MXFP4, const uint8_t* b) { return half_of_e8m0(b[0]); }

// Four blocks of 32 a step.
template <class Codec>
struct BookDot {
  using Format = Codec;
  static constexpr size_t kBlocks = 4, kBytes = kBlocks * Codec::kBytes;
  using Sum = Avx2Sum;
  static Sum start() { return zero_sum(); }
  static float finish(const Sum& sum) { return finish_sum(sum); }

  static void add(const uint8_t* weights, const Q8Row& x, size_t index, Sum& sum) {
    for (size_t i = 0; i < kBlocks; ++i) {
      const uint8_t* b = weights + i * Codec::kBytes;
      const size_t g = index * kBlocks + i;
      const __m256i w = values_256(Codec::kBook, b + Codec::kNibbles);
      add_scaled(sum, dot_signed(w, load_256(x.q + g * kGroup)), scale_of(Codec{}, b) * x.d[g]);
    }
  }
};

// One block of 256 a step.
template <>
struct BookDot<IQ4_XS> {
  using Format = IQ4_XS;
  static constexpr size_t kBytes = IQ4_XS::kBytes;
  using Sum = Avx2Sum;
  static Sum start() { return zero_sum(); }
  static float finish(const Sum& sum) { return finish_sum(sum); }

  static void add(const uint8_t* weights, const Q8Row& x, size_t index, Sum& sum) {
    const float d = load_f16c(weights);
    for (size_t g = 0; g < 8; ++g) {
      const __m256i w = values_256(IQ4_XS::kBook, weights + IQ4_XS::kNibbles + 16 * g);
      const float scale = d * static_cast<float>(iq4_xs_scale(weights, g));
      const size_t group = index * 8 + g;
      add_scaled(sum, dot_signed(w, load_256(x.q + group * kGroup)), scale * x.d[group]);
    }
  }
};

// Against dot products in integers a panel of f32 pays late: with 12 tokens it takes 1.7 to 2.0 times
// as long (64 x 2048, Zen 4).
constexpr size_t kGemmTokens = 28;

template <class Codec>
void add(Kernels& kernels) {
  WeightKernels& of_type = weights_of(kernels, Codec::kType);
  of_type.gemv = four_row_gemv<BookDot<Codec>>;
  of_type.gather_dot = four_row_gather<BookDot<Codec>>;
  of_type.gemm_tokens = kGemmTokens;
}

}  // namespace

void avx2::add_dots_book(Kernels& kernels) {
  add<IQ4_NL>(kernels);
  add<IQ4_XS>(kernels);
  add<MXFP4>(kernels);
}

}  // namespace hearth
#endif
