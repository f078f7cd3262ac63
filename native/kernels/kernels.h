// The CPU kernels: one table of functions per instruction set, picked once at run time.
// Pure computation: no threads, no allocation, no exceptions, no checks (callers give clean
// values). Weights are ggml blocks, bit for bit, read where they lie in the mapped file; they need
// no alignment.
//
// Promises, tested in native/test:
//  * The result for (row, token) never depends on the row range, on other rows or on other tokens
//    of the call. gemv, gather_dot and gemm differ from each other by rounding only: each adds in
//    an order of its own.
//  * axpy adds rows strictly in the order of the list, each element by a fused multiply-add: the
//    result for a column does not depend on the column range, and cutting the list into two calls
//    changes nothing.
//  * attention over one q row never depends on the other rows of the task, except that a task with
//    one q row (decode) and a task with several (prefill) round differently.
//  * Two instruction sets may differ by rounding. Quantised activations (q, d) are the same on all
//    of them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hearth {

// The weight types: name and id in GGUF files. The name is also that of the type's codec in
// codecs.h. The order is that of Kernels::weights.
#define HEARTH_WEIGHT_TYPES(X) \
  X(F32, 0)                    \
  X(F16, 1)                    \
  X(BF16, 30)                  \
  X(Q8_0, 8)                   \
  X(Q4_0, 2)                   \
  X(Q4_1, 3)                   \
  X(Q5_0, 6)                   \
  X(Q5_1, 7)                   \
  X(Q4_K, 12)                  \
  X(Q5_K, 13)                  \
  X(Q6_K, 14)                  \
  X(Q2_K, 10)                  \
  X(Q3_K, 11)                  \
  X(IQ4_NL, 20)                \
  X(IQ4_XS, 23)                \
  X(MXFP4, 39)                 \
  X(IQ3_XXS, 18)               \
  X(IQ3_S, 21)                 \
  X(IQ2_XXS, 16)               \
  X(IQ2_XS, 17)                \
  X(IQ2_S, 22)                 \
  X(IQ1_S, 19)                 \
  X(IQ1_M, 29)                 \
  X(TQ1_0, 34)                 \
  X(TQ2_0, 35)                 \
  X(NVFP4, 40)

// kF32, kF16, …
enum class WeightType : uint32_t {
#define HEARTH_ENUMERATOR(name, id) k##name = id,
  HEARTH_WEIGHT_TYPES(HEARTH_ENUMERATOR)
#undef HEARTH_ENUMERATOR
};

constexpr WeightType kWeightTypes[] = {
#define HEARTH_TYPE(name, id) WeightType::k##name,
    HEARTH_WEIGHT_TYPES(HEARTH_TYPE)
#undef HEARTH_TYPE
};
constexpr size_t kWeightTypeCount = sizeof(kWeightTypes) / sizeof(kWeightTypes[0]);

// Ids of KV cache types, as in GGUF.
enum class KvType : uint32_t { kF32 = 0, kF16 = 1, kQ8_0 = 8 };

// A weight matrix W [rows, columns]; the type belongs to the functions that read it.
struct Matrix {
  const void* data;
  size_t columns;    // a multiple of the type's block length
  size_t row_bytes;  // from one row to the next: row_bytes(type, columns), or more
};

// [begin, end)
struct Range {
  size_t begin;
  size_t end;
};

// Rows of a matrix, by index: an active set (rising is fastest).
struct RowList {
  const uint32_t* index;
  size_t count;
};

// Y = X Wᵀ for rows [begin, end) of W: y[t * y_stride + r] = W[r, :] · x_t.
struct GemmTask {
  Matrix w;
  const void* x;    // prepared rows, x_bytes(type, columns) apart
  size_t tokens;    // any number >= 1; the weights are unpacked once for all of them
  float* y;         // [tokens, y_stride]
  size_t y_stride;  // in floats
  Range rows;       // begin a multiple of kGemmRowTile is fastest
  void* scratch;    // gemm_scratch_bytes(columns), 64-byte aligned, one per thread
  // Where the rows begin that this thread reads after these: the first of them are fetched ahead.
  // Null: the bytes behind these.
  const void* next = nullptr;
};

// y[r] = W[r, :] · x for r in rows.
struct GemvTask {
  Matrix w;
  const void* x;  // a prepared row
  Range rows;
  float* y;
  // What this thread reads after these rows: fetched ahead while the last of them are read. Null:
  // the bytes behind them.
  const void* next;
};

// Rows that a gemm tile holds: split rows over threads in multiples of it.
constexpr size_t kGemmRowTile = 32;

// Writes whole blocks of finite values; `importance` is null, or [columns]: how much the error of each
// matters. The bytes are the same in every table, and those of the reference (src/quant).
using QuantiseRow = void (*)(const float* x, size_t columns, const float* importance, void* out);

// The kernels of one weight type. x of gemv, gemm and gather_dot is a row that prepare_x made,
// 64-byte aligned.
struct WeightKernels {
  // Writes an activation row in the form that the dot products of this type read; see XFormat.
  void (*prepare_x)(const float* x, size_t columns, void* out);
  // For dense decode. Best with ranges of 16 rows and more.
  void (*gemv)(const GemvTask& task);
  void (*gemm)(const GemmTask& task);
  // y[i] = W[rows.index[i], :] · x. Four rows at a time with prefetch: for sparse decode.
  void (*gather_dot)(const Matrix& w, const void* x, RowList rows, float* y);
  // y[c] += Σ_i coefficient[i] · W[rows.index[i], c] for c in columns. Columns begin at a multiple
  // of 256 and end at one or at the last column. Threads split the columns, or keep a private y
  // each for fixed cuts of the list.
  void (*axpy)(const Matrix& w, RowList rows, const float* coefficient, Range columns, float* y);
  // out[0 .. columns) = the row as f32.
  void (*dequantise_row)(const void* row, size_t columns, float* out);
  // From this many tokens on, gemm, which unpacks rows once for all of them, is faster than a gemv
  // for each token while the rows are in a cache.
  size_t gemm_tokens;
  // From this many tokens on gemm adds in another order than for fewer; 0: in the same for any number.
  size_t panel_tokens = 0;
  QuantiseRow quantise_row = nullptr;
};

// What prepare_x writes; with Inputs::kExact always the row itself. Types with the same format can share one prepared row.
enum class XFormat : uint32_t {
  kF32 = 0,  // the row itself
  kQ8 = 1,   // per 32 elements d = max|x| / 127 (f32), q = x / d rounded to nearest even, and sums
};

// relu2 is max(x, 0)²; fatrelu is x where x >= threshold, else 0; gelu is the form with erf; sigmoid
// is 1 / (1 + e^−x); clamped swish is y / (1 + e^−1.702y) with y = min(x, 7).
enum class Activation : uint32_t {
  kSilu,
  kGelu,
  kGeluTanh,
  kRelu,
  kRelu2,
  kFatRelu,
  kSigmoid,
  kClampedSwish,
};

// h = act(u); h = act(g) · u; h = act(g) · act(u); h = act(g) · (1 + u between −7 and 7).
enum class Gating : uint32_t { kUngated, kGated, kBoth, kClamped };

struct ActivateTask {
  Gating gating;
  Activation activation;
  float threshold;    // of kFatRelu
  const float* gate;  // null when kUngated
  const float* up;
  float* out;  // may be gate or up
  size_t count;
};

// x/√(mean x² + ε)·w + b (rms) or (x − mean)/√(var + ε)·w + b (layer).
struct NormTask {
  const float* x;
  const float* weight;  // null: 1
  const float* bias;    // null: 0
  float epsilon;
  float* out;  // may be x
  size_t count;
};

// "adjacent": pairs (2i, 2i+1). "halves": pairs (i, i + pairs).
enum class RopePairing : uint32_t { kAdjacent, kHalves };

// Rotates the first 2·pairs elements of each head, in place, by the angles of one position.
struct RopeTask {
  float* x;  // [heads, head_dim]
  size_t heads;
  size_t head_dim;
  size_t pairs;
  const float* cosine;  // [pairs], from rope_angles
  const float* sine;    // [pairs]
  RopePairing pairing;
};

// The keys, or values, of one head: position p lies at data + (p mod cells) * stride.
struct KvHead {
  const void* data;
  size_t width;   // values of the cache's type; a multiple of 32 for Q8_0; at most kMaxHeadDim
  size_t stride;  // in bytes
};

// Attention of the q heads that share one KV head: out = softmax(cap(q Kᵀ · scale)) V, online over
// tiles of positions.
struct AttentionTask {
  KvType type;
  KvHead k;
  KvHead v;
  size_t cells;     // a multiple of 64, or more than any position
  size_t heads;     // q heads that share this KV head
  size_t rows;      // q rows of one sequence; at most kMaxAttentionRows
  const float* q;   // row i, head h at q + i * q_stride + h * k.width
  size_t q_stride;  // in floats
  Range positions;  // those that are attended; begin a multiple of 64
  // [rows], both rising: row i sees positions from first[i] on (null: all), below visible[i].
  const uint32_t* first;
  const uint32_t* visible;
  float scale;
  float soft_cap;      // cap(s) = soft_cap tanh(s / soft_cap); 0 for none
  const float* sinks;  // [heads]: e^sink joins the sum below; null for none
  float* out;          // row i, head h at out + i * out_stride + h * v.width
  size_t out_stride;
  // [rows, heads, 2], or null: out is the result. With a state out is left unnormalised,
  // Σ e^(s − max) V, and the state gets max and Σ e^(s − max): a partial result over a fixed cut of
  // the positions, for attention_merge.
  float* state;
  void* scratch;  // attention_scratch_bytes(), 64-byte aligned, one per thread
};

constexpr size_t kMaxHeadDim = 512;
constexpr size_t kMaxAttentionRows = 64;

// Merges `parts` partial results of one head in their order: out = Σ_p e^(max_p − max) out_p / Σ …
struct AttentionMergeTask {
  const float* const* parts;   // [parts] each [head_dim]
  const float* const* states;  // [parts] each {max, sum}
  size_t count;
  size_t head_dim;
  float* out;
};

// One row of a causal convolution, channel by channel: out = Σ_t weights[t]·x_t, where x_t are the
// held inputs, the oldest first, then x. Then the oldest is dropped and x is held.
struct ConvolveTask {
  const float* weights;  // [taps, stride]
  float* held;           // [taps - 1, stride]
  const float* x;
  float* out;  // may be x
  size_t taps;
  size_t stride;
  size_t count;  // channels of this call
};

// One row of the gated delta rule over columns of one head's state S [keys, stride], with k and q
// scaled to unit length (their norm being at least epsilon) and q divided by √keys:
// S = decay S; d = strength (v − Sᵀk); S += k dᵀ; out = Sᵀq.
struct DeltaTask {
  float* state;
  size_t keys;
  size_t stride;
  size_t columns;  // of this call
  const float* q;  // [keys]
  const float* k;  // [keys]
  const float* v;  // [columns]
  float decay;
  float strength;
  float epsilon;
  float* out;  // [columns]
};

// Columns of the rows of a ListedSumTask.
constexpr size_t kListedColumns = 64;

// y[t, c] += Σ_e coefficient[e] · rows[place[e], c] for e in offset[t] … offset[t + 1], in this order,
// each by a fused multiply-add.
struct ListedSumTask {
  const float* rows;       // [rows, kListedColumns]
  const uint8_t* place;    // a row
  const uint32_t* offset;  // [tokens + 1]
  const float* coefficient;
  size_t tokens;
  float* y;  // [tokens, kListedColumns]
};

struct VectorKernels {
  void (*rms_norm)(const NormTask& task);
  void (*layer_norm)(const NormTask& task);
  // In place; e^x within 2 ulp.
  void (*softmax)(float* x, size_t count);
  void (*activate)(const ActivateTask& task);
  // out += x
  void (*add)(const float* x, size_t count, float* out);
  // out *= factor
  void (*scale)(float factor, size_t count, float* out);
  // out = cap tanh(out / cap), within 16 roundoffs of cap; NaN stays NaN.
  void (*soft_cap)(float cap, size_t count, float* out);
  void (*rope)(const RopeTask& task);
  // Index of the largest, the lowest on a tie. count >= 1.
  uint32_t (*argmax)(const float* x, size_t count);
  void (*f32_to_f16)(const float* x, size_t count, void* out);
  void (*f16_to_f32)(const void* x, size_t count, float* out);
  // ggml Q8_0 blocks (f16 d): rows of a KV cache. count a multiple of 32.
  void (*f32_to_q8_0)(const float* x, size_t count, void* out);
  void (*attention)(const AttentionTask& task);
  void (*attention_merge)(const AttentionMergeTask& task);
  void (*convolve)(const ConvolveTask& task);
  void (*delta_rule)(const DeltaTask& task);
  void (*add_listed)(const ListedSumTask& task);
  // Bit i of out = sign bit of x[i]; out has sign_words(count) words, the unused bits 0.
  void (*sign_pack)(const float* x, size_t count, uint64_t* out);
  // score[r] = columns − 2 · popcount(signs[r] XOR x), for r in rows; signs rows of
  // sign_words(columns) words.
  void (*sign_scores)(const uint64_t* signs, size_t columns, const uint64_t* x, Range rows,
                      int32_t* score);
  // Writes base + i for each i with x[i] >= least (select_magnitude: |x[i]| >= least), rising;
  // returns their number. index has room for count + 16. With the smallest denormal as least,
  // select_magnitude selects what is not zero.
  size_t (*select_at_least)(const float* x, size_t count, float least, uint32_t base,
                            uint32_t* index);
  size_t (*select_magnitude)(const float* x, size_t count, float least, uint32_t base,
                             uint32_t* index);
  size_t (*select_scores)(const int32_t* x, size_t count, int32_t least, uint32_t base,
                          uint32_t* index);
  // Reads every cache line and returns a sum, which keeps the reads alive: for measuring how fast
  // memory can be read. bytes a multiple of 64.
  uint64_t (*read_stream)(const void* data, size_t bytes);
};

struct Kernels {
  const char* name;    // "scalar", "avx2", "avx512", "neon"
  bool rounds_inputs;  // of quantised types, to eight bits
  WeightKernels weights[kWeightTypeCount];
  VectorKernels vector;
};

// Whether the inputs of quantised weights are rounded to eight bits (fast), or stay f32.
enum class Inputs { kRounded, kExact };

// The best table that this machine can run, or the named one; null if the name is unknown or its
// table cannot run here.
const Kernels* select_kernels(const char* forced_or_null, Inputs inputs = Inputs::kRounded);

// Names of the tables that this machine can run, best first, null-terminated.
const char* const* available_kernels();

// The kernels of a GGUF type id, or null when hearth cannot compute with it.
const WeightKernels* weight_kernels(const Kernels* kernels, uint32_t type_id);

// "F32", "Q4_0", …
const char* weight_type_name(WeightType type);
XFormat x_format(WeightType type);
// Bytes of a prepared row, a multiple of 64.
size_t x_bytes(WeightType type, size_t columns);
// Bytes of one row of weights.
size_t row_bytes(WeightType type, size_t columns);
// Elements of one block (1, 32, 64 or 256).
size_t block_elements(WeightType type);
size_t kv_row_bytes(KvType type, size_t head_dim);
size_t gemm_scratch_bytes(size_t columns);
size_t attention_scratch_bytes();
size_t sign_words(size_t columns);

// cosine[i] = cos(position · frequencies[i]) · magnitude, sine likewise: computed once per position
// for all heads and layers.
struct RopeAngles {
  uint32_t position;
  const float* frequencies;  // [pairs]
  size_t pairs;
  float magnitude;
};
void rope_angles(const RopeAngles& angles, float* cosine, float* sine);

}  // namespace hearth
