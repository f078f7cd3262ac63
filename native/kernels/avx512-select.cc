// Quantisation of x, sign predictor, selection and the read roof on AVX-512. Equations: kernels.h.
#if defined(__x86_64__)
#include <immintrin.h>

#include "avx512.h"
#include "generic-weights.h"
#include "select-kernels.h"

namespace hearth {
namespace {

inline __mmask16 first_lanes(size_t count) {
  return static_cast<__mmask16>(count >= 16 ? 0xffffu : (1u << count) - 1u);
}

// Compresses in a register and stores all of it: compressing into memory is microcoded on Zen 4.
inline size_t append(__mmask16 kept, uint32_t base, uint32_t* index) {
  const __m512i order = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  const __m512i lanes = _mm512_add_epi32(order, _mm512_set1_epi32(static_cast<int>(base)));
  _mm512_storeu_si512(index, _mm512_maskz_compress_epi32(kept, lanes));
  return static_cast<size_t>(__builtin_popcount(kept));
}

template <bool kMagnitude>
size_t select(const float* x, size_t count, float least, uint32_t base, uint32_t* index) {
  const __m512 bound = _mm512_set1_ps(least);
  size_t kept = 0;
  for (size_t i = 0; i < count; i += 16) {
    const __mmask16 lanes = first_lanes(count - i);
    __m512 value = _mm512_maskz_loadu_ps(lanes, x + i);
    if (kMagnitude) value = _mm512_abs_ps(value);
    kept += append(_mm512_mask_cmp_ps_mask(lanes, value, bound, _CMP_GE_OQ),
                   base + static_cast<uint32_t>(i), index + kept);
  }
  return kept;
}

// Everything that follows from d and q, the two halves of the group.
inline void store_group(float d, __m128i q0, __m128i q1, size_t g, const Q8Row& row) {
  // Σ of each four q: ones as the unsigned factor.
  const __m128i ones = _mm_set1_epi8(1);
  const __m128i quad0 = _mm_dpbusd_epi32(_mm_setzero_si128(), ones, q0);
  const __m128i quad1 = _mm_dpbusd_epi32(_mm_setzero_si128(), ones, q1);
  const __m128i both = _mm_add_epi32(quad0, quad1);
  int8_t* interleaved = row.interleaved + g / 4 * kSuper + g % 4 * 16;
  _mm_storeu_si128(reinterpret_cast<__m128i*>(row.q + g * kGroup), q0);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(row.q + g * kGroup + 16), q1);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(interleaved), q0);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(interleaved + 64), q1);
  store_quads(row.q + g * kGroup, g, row);
  const __m128i none = _mm_setzero_si128();
  _mm_storeu_si128(reinterpret_cast<__m128i*>(row.start128 + 8 * g),
                   _mm_sub_epi32(none, _mm_slli_epi32(quad0, 7)));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(row.start128 + 8 * g + 4),
                   _mm_sub_epi32(none, _mm_slli_epi32(quad1, 7)));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(row.start8 + 4 * g),
                   _mm_sub_epi32(none, _mm_slli_epi32(both, 3)));

  // Lanes of two horizontal additions: {Σ first half, Σ second half, …}.
  const __m128i pairs = _mm_hadd_epi32(quad0, quad1);
  const __m128i halves = _mm_hadd_epi32(pairs, pairs);
  const int32_t sum0 = _mm_cvtsi128_si32(halves);
  const int32_t sum = sum0 + _mm_extract_epi32(halves, 1);
  row.d[g] = d;
  row.d_sum[g] = d * static_cast<float>(sum);
  row.d_sum16[2 * g] = d * static_cast<float>(sum0);
  row.d_sum16[2 * g + 1] = d * static_cast<float>(sum - sum0);
  Q8Group& group = row.group[g];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(group.q), q0);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(group.q + 16), q1);
  group.d = d;
  group.d_sum = row.d_sum[g];
  group.minus_sum = -sum;
  group.minus_first_sum = -sum0;
}

// One group: d and q as generic-weights.h has them.
inline void prepare_group(const float* x, size_t g, const Q8Row& row) {
  const __m512 low = _mm512_loadu_ps(x);
  const __m512 high = _mm512_loadu_ps(x + 16);
  const float d =
      _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(low), _mm512_abs_ps(high))) / 127.0f;
  const __mmask16 any = d == 0 ? 0 : 0xffff;
  const __m512 divisor = _mm512_set1_ps(d);
  const __m512 most = _mm512_set1_ps(127);
  const __m512 least = _mm512_set1_ps(-127);
  const __m512 first =
      _mm512_max_ps(_mm512_min_ps(_mm512_maskz_div_ps(any, low, divisor), most), least);
  const __m512 second =
      _mm512_max_ps(_mm512_min_ps(_mm512_maskz_div_ps(any, high, divisor), most), least);
  const __m128i q0 = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(first));
  const __m128i q1 = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(second));
  store_group(d, q0, q1, g, row);
}

}  // namespace

namespace avx512 {
namespace {

void prepare_q8(const float* x, size_t columns, void* out) {
  const Q8Row row = q8_row(out, columns);
  const float padding[kGroup] = {};
  for (size_t g = 0; g < row.groups; ++g) {
    prepare_group(g * kGroup < columns ? x + g * kGroup : padding, g, row);
  }
}

void sign_scores(const uint64_t* signs, size_t columns, const uint64_t* x, Range rows,
                 int32_t* score) {
  const size_t words = (columns + 63) / 64;
  for (size_t r = rows.begin; r < rows.end; ++r) {
    const uint64_t* row = signs + r * words;
    __m512i differing = _mm512_setzero_si512();
    for (size_t i = 0; i < words; i += 8) {
      const __mmask8 lanes = static_cast<__mmask8>(first_lanes(words - i));
      const __m512i bits = _mm512_xor_si512(_mm512_maskz_loadu_epi64(lanes, row + i),
                                            _mm512_maskz_loadu_epi64(lanes, x + i));
      differing = _mm512_add_epi64(differing, _mm512_popcnt_epi64(bits));
    }
    score[r] = static_cast<int32_t>(columns) -
               2 * static_cast<int32_t>(_mm512_reduce_add_epi64(differing));
  }
}

void sign_pack(const float* x, size_t count, uint64_t* out) {
  for (size_t word = 0; word * 64 < count; ++word) {
    uint64_t packed = 0;
    for (size_t part = 0; part < 4 && word * 64 + part * 16 < count; ++part) {
      const size_t at = word * 64 + part * 16;
      const __m512i bits = _mm512_maskz_loadu_epi32(first_lanes(count - at), x + at);
      packed |= static_cast<uint64_t>(_mm512_movepi32_mask(bits)) << (16 * part);
    }
    out[word] = packed;
  }
}

size_t select_at_least(const float* x, size_t count, float least, uint32_t base, uint32_t* index) {
  return select<false>(x, count, least, base, index);
}

size_t select_magnitude(const float* x, size_t count, float least, uint32_t base, uint32_t* index) {
  return select<true>(x, count, least, base, index);
}

size_t select_scores(const int32_t* x, size_t count, int32_t least, uint32_t base,
                     uint32_t* index) {
  const __m512i bound = _mm512_set1_epi32(least);
  size_t kept = 0;
  for (size_t i = 0; i < count; i += 16) {
    const __mmask16 lanes = first_lanes(count - i);
    const __m512i value = _mm512_maskz_loadu_epi32(lanes, x + i);
    kept += append(_mm512_mask_cmpge_epi32_mask(lanes, value, bound),
                   base + static_cast<uint32_t>(i), index + kept);
  }
  return kept;
}

uint64_t read_stream(const void* data, size_t bytes) {
  const uint8_t* p = static_cast<const uint8_t*>(data);
  __m512i sum[kReadStreams] = {};
  size_t i = 0;
  for (; i + kReadStreams * kReadPiece <= bytes; i += kReadStreams * kReadPiece) {
    for (size_t at = 0; at < kReadPiece; at += 64) {
      for (size_t k = 0; k < kReadStreams; ++k) {
        const uint8_t* line = p + i + k * kReadPiece + at;
        __builtin_prefetch(line + kReadStreams * kReadPiece, 0, 2);
        sum[k] = _mm512_add_epi64(sum[k], _mm512_loadu_si512(line));
      }
    }
  }
  for (; i + 64 <= bytes; i += 64) sum[0] = _mm512_add_epi64(sum[0], _mm512_loadu_si512(p + i));
  const __m512i total =
      _mm512_add_epi64(_mm512_add_epi64(sum[0], sum[1]), _mm512_add_epi64(sum[2], sum[3]));
  return static_cast<uint64_t>(_mm512_reduce_add_epi64(total));
}

}  // namespace

void add_vectors(Kernels& kernels) {
  for (const WeightType type : kWeightTypes) {
    if (x_format(type) == XFormat::kQ8) weights_of(kernels, type).prepare_x = prepare_q8;
  }
  VectorKernels& vector = kernels.vector;
  vector.sign_pack = sign_pack;
  vector.sign_scores = sign_scores;
  vector.select_at_least = select_at_least;
  vector.select_magnitude = select_magnitude;
  vector.select_scores = select_scores;
  vector.read_stream = read_stream;
}

}  // namespace avx512
}  // namespace hearth
#endif
