// Gemm of quantised weights on AVX-512 VNNI: 16 rows are unpacked to u8 codes and multiplied with the
// tokens. For up to sixteen tokens codes stay in registers (avx512-groups.h), and rows are turned while
// others are multiplied; for more they are unpacked once to a tile (avx512-tile.h), a piece of their
// columns at a time, and multiplied with up to twelve tokens together. Sums are the same bit for bit.
// Per group of 32 columns the integer sum becomes f32:
//
//   y[t, r] += scale[r, g] d_t[g] (Σ code·q − zero Σ q) − minimum[r, g] d_t[g] Σ q
//
// Of types with scales for 16 columns each half of a group has a sum of its own.
#if defined(__x86_64__)
#include "avx512-tile.h"
#include "avx512.h"
#include "generic-weights.h"
#include "token-blocks.h"

namespace hearth {
namespace {

// 12 integer and 12 float sums of the 32 registers.
constexpr size_t kVnniTokens = 12;

// −Σ q of a part of a group.
template <class Codec>
int32_t minus_sum_of(const Q8Group& group, size_t part) {
  if constexpr (Codec::kSubGroup == kGroup) return group.minus_sum;
  return part == 0 ? group.minus_first_sum : group.minus_sum - group.minus_first_sum;
}

// −d · Σ q of a part of a group, in every lane.
template <class Codec>
__m512 minus_d_sum_of(const Q8Group& group, size_t part) {
  if constexpr (Codec::kSubGroup == kGroup) return _mm512_set1_ps(-group.d_sum);
  const __m512i minus_sum = _mm512_set1_epi32(minus_sum_of<Codec>(group, part));
  return _mm512_mul_ps(_mm512_set1_ps(group.d), _mm512_cvtepi32_ps(minus_sum));
}

// −zero · Σ q: where the integer sum of a part starts.
template <class Codec>
__m512i start_of(const Q8Group& group, size_t part) {
  if constexpr (Codec::kZero == 0) return _mm512_setzero_si512();
  constexpr unsigned kShift = __builtin_ctz(Codec::kZero | 256);
  static_assert(Codec::kZero == 0 || Codec::kZero == 1 << kShift,
                "the zero point is a power of two");
  return _mm512_slli_epi32(_mm512_set1_epi32(minus_sum_of<Codec>(group, part)), kShift);
}

// One product of 16 rows with some tokens.
struct Product {
  const uint8_t* x;  // the Q8Groups of the first token, those of the first column
  size_t x_stride;
  float* y;  // of the first token and row
  size_t y_stride;
  __mmask16 rows;
  bool accumulate;  // y counts as the sum so far
};

// Sums of 16 rows and kCount tokens, group by group.
template <class Codec, size_t kCount>
class GroupSums {
 public:
  explicit GroupSums(const Product& p) : product_(p) {
    for (size_t b = 0; b < kBases; ++b) base_[b] = p.x + b * kTokensPerBase * p.x_stride;
    for (size_t t = 0; t < kCount; ++t) {
      sum_[t] =
          p.accumulate ? _mm512_maskz_loadu_ps(p.rows, p.y + t * p.y_stride) : _mm512_setzero_ps();
    }
  }

  // Adds group g behind the current one, whose codes(k) are columns 4k … 4k + 3.
  template <class Codes>
  HEARTH_INLINE void add(size_t g, const Codes& codes, const __m512* scale, const __m512* minimum) {
    unrolled<kParts>([&](auto part) HEARTH_INLINE {
      __m512i dot[kCount];
#pragma GCC unroll 12
      for (size_t t = 0; t < kCount; ++t) dot[t] = start_of<Codec>(x_of(t, g), part);
      unrolled<8 / kParts>([&](auto k) HEARTH_INLINE {
        constexpr size_t kFour = 8 / kParts * part + k;
        const __m512i w = codes.template code<kFour>();
#pragma GCC unroll 12
        for (size_t t = 0; t < kCount; ++t) {
          const uint32_t q = load_u32(x_of(t, g).q + 4 * kFour);
          dot[t] = _mm512_dpbusd_epi32(dot[t], w, _mm512_set1_epi32(static_cast<int>(q)));
        }
      });
#pragma GCC unroll 12
      for (size_t t = 0; t < kCount; ++t) {
        const __m512 factor = _mm512_mul_ps(scale[part], _mm512_set1_ps(x_of(t, g).d));
        sum_[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot[t]), factor, sum_[t]);
      }
      if constexpr (Codec::kHasMinimum) {
#pragma GCC unroll 12
        for (size_t t = 0; t < kCount; ++t) {
          const __m512 x = minus_d_sum_of<Codec>(x_of(t, g), part);
          sum_[t] = _mm512_fmadd_ps(minimum[part], x, sum_[t]);
        }
      }
    });
  }

  HEARTH_INLINE void pass(size_t groups) {
    for (size_t b = 0; b < kBases; ++b) base_[b] += groups * sizeof(Q8Group);
  }

  void store() const {
    for (size_t t = 0; t < kCount; ++t) {
      _mm512_mask_storeu_ps(product_.y + t * product_.y_stride, product_.rows, sum_[t]);
    }
  }

 private:
  static constexpr size_t kParts = kGroup / Codec::kSubGroup;
  static constexpr size_t kBases = (kCount + kTokensPerBase - 1) / kTokensPerBase;

  HEARTH_INLINE const Q8Group& x_of(size_t token, size_t g) const {
    return reinterpret_cast<const Q8Group*>(base_[token / kTokensPerBase] +
                                            token % kTokensPerBase * product_.x_stride)[g];
  }

  const Product& product_;
  const uint8_t* base_[kBases];
  __m512 sum_[kCount];
};

struct StoredGroup {
  const uint8_t* line;
  template <size_t kFour>
  HEARTH_INLINE __m512i code() const {
    return _mm512_load_si512(line + kFour * kLaneBytes);
  }
};

struct TileProduct : Product {
  Tile tile;
};

template <class Codec>
struct TileKernel {
  template <size_t kCount>
  static void block(const TileProduct& product) {
    constexpr size_t kParts = kGroup / Codec::kSubGroup;
    const Tile& tile = product.tile;
    GroupSums<Codec, kCount> sums(product);
    for (size_t g = 0; g < tile.groups; ++g) {
      __m512 scale[kParts];
      __m512 minimum[kParts];
      for (size_t part = 0; part < kParts; ++part) {
        const size_t at = (kParts * g + part) * kVnniRows;
        scale[part] = _mm512_load_ps(tile.scale + at);
        if (Codec::kHasMinimum) minimum[part] = _mm512_load_ps(tile.minimum + at);
      }
      sums.add(0, StoredGroup{tile.code + g * 8 * kLaneBytes}, scale, minimum);
      sums.pass(1);
    }
    sums.store();
  }
};

// The blocks of sixteen rows that are read after these: into the second level of cache, while these
// are multiplied.
inline void fetch_tile(const uint8_t* next, size_t row_bytes, size_t bytes) {
  for (size_t r = 0; r < kVnniRows; ++r) {
    for (size_t line = 0; line < bytes; line += kLine) {
      __builtin_prefetch(next + r * row_bytes + line, 0, 2);
    }
  }
}

// Sixteen rows from row r on, and those that are read next. Rows past the last one repeat it: their
// sums are not stored.
struct SixteenRows {
  const uint8_t* row[kVnniRows];
  __mmask16 mask;
  const uint8_t* next;

  SixteenRows(const GemmTask& task, size_t r) {
    const size_t left = task.rows.end - r;
    const size_t count = left < kVnniRows ? left : kVnniRows;
    for (size_t i = 0; i < kVnniRows; ++i) {
      row[i] = row_of(task.w, r + (i < count ? i : count - 1));
    }
    mask = static_cast<__mmask16>((1u << count) - 1u);
    const bool is_last = left <= kVnniRows && task.next != nullptr;
    next = is_last ? static_cast<const uint8_t*>(task.next) : row_of(task.w, r + kVnniRows);
  }
};

inline const uint8_t* groups_of(const GemmTask& task) {
  return reinterpret_cast<const uint8_t*>(q8_row(task.x, task.w.columns).group);
}

// A tile of codes in memory, for many tokens.
template <class Codec>
void tile_gemm(const GemmTask& task) {
  const Matrix& w = task.w;
  const size_t stride = q8_row_bytes(w.columns);
  for (size_t r = task.rows.begin; r < task.rows.end; r += kVnniRows) {
    SixteenRows rows(task, r);
    for (size_t begin = 0; begin < w.columns; begin += kPieceColumns) {
      const size_t rest = w.columns - begin;
      const size_t columns = rest < kPieceColumns ? rest : kPieceColumns;
      const size_t bytes = columns / Codec::kBlock * Codec::kBytes;
      TileProduct product;
      product.tile = tile_in(task.scratch, columns);
      product.x = groups_of(task) + begin / kGroup * sizeof(Q8Group);
      product.x_stride = stride;
      product.y = task.y + r;
      product.y_stride = task.y_stride;
      product.rows = rows.mask;
      product.accumulate = begin > 0;
      unpack_tile<Codec>(rows.row, product.tile);
      fetch_tile(rows.next, w.row_bytes, bytes);
      in_token_blocks<TileKernel<Codec>, kVnniTokens, 8, 6, 4, 2, 1>(product, task.tokens);
      for (const uint8_t*& row : rows.row) row += bytes;
      rows.next += bytes;
    }
  }
}

// Codes in registers, for up to eight tokens at a time: rows are turned while others are multiplied.
constexpr size_t kRegisterTokens = 8;
// For more than eight tokens rows are turned again, from the second level of cache: 12 and 16 answers of
// a whole model of Q4_0 write 1.2 times as fast as by tiles, 24 and 32 as fast.
constexpr size_t kMostTurnedTokens = 16;

struct TurnedProduct : Product {
  TurnedRows row;
  const uint8_t* next;
  size_t columns;
  size_t row_bytes;
};

template <class Codec>
struct TurnedKernel {
  template <size_t kCount>
  static void block(const TurnedProduct& p) {
    GroupSums<Codec, kCount> sums(p);
    each_group<Codec>(
        p.row, p.columns,
        [&](size_t at) HEARTH_INLINE {
          if (at > 0) sums.pass(kUnitGroups);
          fetch_tile(p.next + at, p.row_bytes, Unit<Codec>::kBytes);
        },
        [&](size_t, auto g, const auto& codes, const __m512* scale, const __m512* minimum)
            HEARTH_INLINE { sums.add(g, codes, scale, minimum); });
    sums.store();
  }
};

template <class Codec>
void turned_gemm(const GemmTask& task) {
  for (size_t r = task.rows.begin; r < task.rows.end; r += kVnniRows) {
    const SixteenRows rows(task, r);
    TurnedProduct product;
    product.x = groups_of(task);
    product.x_stride = q8_row_bytes(task.w.columns);
    product.y = task.y + r;
    product.y_stride = task.y_stride;
    product.rows = rows.mask;
    product.accumulate = false;
    product.row = rows.row;
    product.next = rows.next;
    product.columns = task.w.columns;
    product.row_bytes = task.w.row_bytes;
    in_even_blocks<TurnedKernel<Codec>, kRegisterTokens>(product, task.tokens);
  }
}

template <class Codec>
void many_gemm(const GemmTask& task) {
  if constexpr (kHasUnit<Codec>) {
    if (task.tokens <= kMostTurnedTokens) return turned_gemm<Codec>(task);
  }
  tile_gemm<Codec>(task);
}

// From how many tokens on the product of sixteen rows pays (bench/kernels/rows_bench.cc; 64 x 4096, Zen 4):
// of types whose rows are turned as they lie, the others of avx512-codes.h, and those of them with
// minima for 16 columns. Dot products of types that are unpacked to memory do that for each token:
// with two tokens 16 rows together take 0.4 to 0.7 times as long. Types with add_dots of few-tokens.h
// have products of their own for one and two tokens (measurements/batches.md).
constexpr size_t kGemmTokensTurned = 3;
constexpr size_t kGemmTokens = 5;
constexpr size_t kGemmTokensMinima = 7;
constexpr size_t kGemmTokensUnpacked = 2;

template <class Codec>
constexpr size_t gemm_tokens() {
  if (!kHasChunks<Codec>) return kGemmTokensUnpacked;
  if (kHasUnit<Codec> || kTurnsPacked<Codec>) return kGemmTokensTurned;
  return Codec::kHasMinimum && Codec::kSubGroup < kGroup ? kGemmTokensMinima : kGemmTokens;
}

}  // namespace

void avx512::vnni_gemm(WeightType type, const GemmTask& task) {
  for_each_codec([&](auto codec) {
    using Codec = decltype(codec);
    if constexpr (Codec::kX == XFormat::kQ8) {
      if (Codec::kType == type) many_gemm<Codec>(task);
    }
  });
}

void avx512::add_gemm(Kernels& kernels) {
  for_each_codec([&kernels](auto codec) {
    using Codec = decltype(codec);
    if constexpr (Codec::kX == XFormat::kQ8) {
      WeightKernels& of_type = weights_of(kernels, Codec::kType);
      of_type.gemm = many_gemm<Codec>;
      of_type.gemm_tokens = gemm_tokens<Codec>();
    }
  });
}

}  // namespace hearth
#endif
