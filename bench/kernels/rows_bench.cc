// Measures products of few tokens, as parallel answers make them: one matrix-vector product for
// each token beside one product of all of them, over weights that lie in the second-level cache.
//
//   node tools/build-native.mjs --bench rows [ISA]
//
// Prints nanoseconds of one thread's time for a row of weights and all tokens, the least of all
// rounds; and from how many tokens on the kernels take the second way (gemm_tokens).
#include <cstdio>
#include <string>

#include "measuring.h"

namespace {

using hearth::Kernels;
using hearth::Matrix;
using hearth::WeightKernels;
using hearth::WeightType;
using namespace hearth::bench;

constexpr size_t kRounds = 15;
constexpr size_t kRepeats = 8;
constexpr size_t kColumns = 4096;
constexpr size_t kRows = 64;
constexpr size_t kTokens[] = {1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 24, 32};
constexpr size_t kMostTokens = 32;
constexpr WeightType kTypes[] = {WeightType::kF32,  WeightType::kF16,  WeightType::kBF16,
                                 WeightType::kQ8_0, WeightType::kQ4_0, WeightType::kQ4_K,
                                 WeightType::kQ5_K, WeightType::kQ6_K};

// Of one thread, for a row.
double least_nanoseconds(const std::function<void()>& body) {
  double least = 1e9;
  for (size_t round = 0; round < kRounds; ++round) {
    const Timing time = timed(1, {}, [&](size_t, size_t) {
      for (size_t i = 0; i < kRepeats; ++i) body();
    });
    least = std::min(least, time.cpu);
  }
  return least * 1e9 / static_cast<double>(kRepeats * kRows);
}

void bench_type(const Kernels* kernels, WeightType type) {
  const WeightKernels* table = hearth::weight_kernels(kernels, static_cast<uint32_t>(type));
  const size_t row_bytes = hearth::row_bytes(type, kColumns);
  uint8_t* weights = static_cast<uint8_t*>(allocate(kRows * row_bytes + (16 << 10)));
  fill(type, weights, kRows * row_bytes);
  const size_t stride = hearth::x_bytes(type, kColumns);
  uint8_t* x = static_cast<uint8_t*>(allocate(stride * kMostTokens));
  const std::vector<float> values(kColumns, 0.5f);
  for (size_t t = 0; t < kMostTokens; ++t) {
    table->prepare_x(values.data(), kColumns, x + t * stride);
  }
  std::vector<float> y(kMostTokens * kRows);
  void* scratch = allocate(hearth::gemm_scratch_bytes(kColumns));
  const Matrix w = {weights, kColumns, row_bytes};
  std::printf("%s, together from %zu tokens on\n", hearth::weight_type_name(type),
              table->gemm_tokens);
  for (const size_t tokens : kTokens) {
    const double apart = least_nanoseconds([&] {
      for (size_t t = 0; t < tokens; ++t) {
        table->gemv({w, x + t * stride, {0, kRows}, y.data() + t * kRows, weights});
      }
    });
    const double together = least_nanoseconds([&] {
      table->gemm({w, x, tokens, y.data(), kRows, {0, kRows}, scratch});
    });
    std::printf("  %2zu tokens: one by one %7.0f ns, together %7.0f ns\n", tokens, apart, together);
  }
  std::free(scratch);
  std::free(x);
  std::free(weights);
}

}  // namespace

int main(int count, char** arguments) {
  const Kernels* kernels = hearth::select_kernels(count > 1 ? arguments[1] : nullptr);
  if (!kernels) {
    std::fprintf(stderr, "rows_bench: no kernels named \"%s\" on this machine\n", arguments[1]);
    return 1;
  }
  std::printf("kernels %s, %zu x %zu weights\n", kernels->name, kRows, kColumns);
  for (const WeightType type : kTypes) bench_type(kernels, type);
  return 0;
}
