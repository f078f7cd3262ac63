// Measures the kernels that work on many tokens:
//
//   node tools/build-native.mjs --bench kernels [ISA] [gemm | attention]
//
// Prints operations per second of thread CPU time and of wall time, on one thread and on all. Every
// round runs all configurations once, interleaved; the median, the lowest and the highest are
// printed. operators_bench.cc measures the products of one token.
#include <cstdio>
#include <string>

#include "measuring.h"

namespace {

using hearth::Kernels;
using hearth::Matrix;
using hearth::WeightKernels;
using hearth::WeightType;
using namespace hearth::bench;

constexpr size_t kRounds = 7;  // the first warms up and is not counted
constexpr size_t kGemmRows = 1024;
constexpr size_t kGemmColumns = 2048;
constexpr size_t kGemmTokens = 128;

// One thing to measure: `amount` is bytes or operations.
struct Config {
  std::string name;
  double amount;
  std::function<void(size_t thread, size_t threads)> body;
  std::vector<double> cpu_rate;
  std::vector<double> wall_rate;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void measure(std::vector<Config>& configs, size_t threads) {
  for (size_t round = 0; round < kRounds; ++round) {
    for (Config& config : configs) {
      const Timing time = timed(threads, {}, config.body);
      if (round == 0) continue;
      config.cpu_rate.push_back(config.amount / time.cpu * 1e-9);
      config.wall_rate.push_back(config.amount / time.wall * 1e-9);
    }
  }
}

void print(const std::vector<Config>& configs, const char* unit) {
  for (const Config& config : configs) {
    const double middle = median(config.cpu_rate);
    const auto ends = std::minmax_element(config.cpu_rate.begin(), config.cpu_rate.end());
    std::printf("  %-22s %8.2f %s (%.2f-%.2f), wall %8.2f", config.name.c_str(), middle, unit,
                *ends.first, *ends.second, median(config.wall_rate));
    std::printf("\n");
  }
}

struct Bench {
  const Kernels* kernels;
  uint8_t* memory;
};

void bench_gemm(const Bench& bench, size_t threads) {
  std::vector<Config> configs;
  const size_t scratch_bytes = hearth::gemm_scratch_bytes(kGemmColumns);
  uint8_t* scratch = static_cast<uint8_t*>(allocate(scratch_bytes * threads));
  std::vector<float> x(kGemmColumns, 0.5f);
  std::vector<float> y(kGemmTokens * kGemmRows);
  fill(WeightType::kQ8_0, bench.memory, kGemmRows * kGemmColumns * 4);
  std::vector<void*> buffers;
  for (const WeightType type : hearth::kWeightTypes) {
    const WeightKernels* table = hearth::weight_kernels(bench.kernels, static_cast<uint32_t>(type));
    const size_t stride = hearth::x_bytes(type, kGemmColumns);
    uint8_t* prepared = static_cast<uint8_t*>(allocate(stride * kGemmTokens));
    buffers.push_back(prepared);
    for (size_t t = 0; t < kGemmTokens; ++t)
      table->prepare_x(x.data(), kGemmColumns, prepared + t * stride);
    const Matrix w = {bench.memory, kGemmColumns, hearth::row_bytes(type, kGemmColumns)};
    configs.push_back(
        {std::string(hearth::weight_type_name(type)) + " gemm",
         2.0 * kGemmRows * kGemmColumns * kGemmTokens,
         [=, &y](size_t thread, size_t count) {
           hearth::Range rows = share(kGemmRows / hearth::kGemmRowTile, thread, count);
           rows = {rows.begin * hearth::kGemmRowTile, rows.end * hearth::kGemmRowTile};
           table->gemm({w, prepared, kGemmTokens, y.data(), kGemmRows, rows,
                        scratch + thread * scratch_bytes});
         },
         {},
         {}});
    configs.push_back({std::string(hearth::weight_type_name(type)) + " prepare_x",
                       1.0 * kGemmColumns * kGemmTokens,
                       [=, &x](size_t thread, size_t count) {
                         const hearth::Range part = share(kGemmTokens, thread, count);
                         for (size_t t = part.begin; t < part.end; ++t) {
                           table->prepare_x(x.data(), kGemmColumns, prepared + t * stride);
                         }
                       },
                       {},
                       {}});
  }
  measure(configs, threads);
  print(configs, "G/s");
  for (void* buffer : buffers) std::free(buffer);
  std::free(scratch);
}

struct AttentionShape {
  const char* name;
  size_t heads, head_dim, rows, positions;
};

// Operations per second of attention over an F16 cache of four KV heads.
void bench_attention(const Bench& bench, size_t threads) {
  constexpr AttentionShape kShapes[] = {{"decode 8 heads 4096", 8, 64, 1, 4096},
                                        {"decode 1 head 4096", 1, 128, 1, 4096},
                                        {"prefill 8 heads 512", 8, 64, 32, 512},
                                        {"prefill 8 heads 4096", 8, 64, 32, 4096},
                                        {"prefill 1 head 4096", 1, 128, 64, 4096}};
  constexpr size_t kKvHeads = 4, kRepeats = 8;
  const size_t scratch_bytes = hearth::attention_scratch_bytes();
  uint8_t* scratch = static_cast<uint8_t*>(allocate(scratch_bytes * threads));
  fill(WeightType::kF16, bench.memory, 16 << 20);
  std::vector<Config> configs;
  for (const AttentionShape& shape : kShapes) {
    const size_t width = shape.heads * shape.head_dim;
    const double amount =
        4.0 * static_cast<double>(kRepeats * shape.rows * shape.positions * width * threads);
    configs.push_back({shape.name,
                       amount,
                       [=](size_t thread, size_t) {
                         std::vector<float> q(shape.rows * width, 0.25f);
                         std::vector<float> out(shape.rows * width);
                         std::vector<uint32_t> visible(shape.rows,
                                                       static_cast<uint32_t>(shape.positions));
                         const size_t head_bytes = shape.head_dim * 2;
                         const uint8_t* k = bench.memory + thread % kKvHeads * head_bytes;
                         for (size_t i = 0; i < kRepeats; ++i) {
                           hearth::AttentionTask task = {};
                           task.type = hearth::KvType::kF16;
                           task.k = {k, shape.head_dim, kKvHeads * head_bytes};
                           task.v = {k + (8 << 20), shape.head_dim, kKvHeads * head_bytes};
                           task.cells = shape.positions;
                           task.heads = shape.heads;
                           task.rows = shape.rows;
                           task.q = q.data();
                           task.q_stride = width;
                           task.positions = {0, shape.positions};
                           task.visible = visible.data();
                           task.scale = 0.125f;
                           task.out = out.data();
                           task.out_stride = width;
                           task.scratch = scratch + thread * scratch_bytes;
                           bench.kernels->vector.attention(task);
                         }
                       },
                       {},
                       {}});
  }
  measure(configs, threads);
  print(configs, "G/s");
  std::free(scratch);
}

std::string processor() {
  char line[256];
  std::string name = "unknown";
  if (FILE* file = std::fopen("/proc/cpuinfo", "r")) {
    while (std::fgets(line, sizeof line, file)) {
      if (std::strncmp(line, "model name", 10) != 0) continue;
      name = std::strchr(line, ':') + 2;
      name.pop_back();
      break;
    }
    std::fclose(file);
  }
  return name;
}

}  // namespace

int main(int count, char** arguments) {
  const Kernels* kernels = hearth::select_kernels(count > 1 ? arguments[1] : nullptr);
  if (!kernels) {
    std::fprintf(stderr, "kernels_bench: no kernels named \"%s\" on this machine\n", arguments[1]);
    return 1;
  }
  // The largest operand: the weights of the gemm in f32.
  const size_t bytes = std::max<size_t>(kGemmRows * kGemmColumns * 4, 16 << 20);
  const Bench bench = {kernels, static_cast<uint8_t*>(allocate(bytes))};
  std::memset(bench.memory, 1, bytes);
  const char* commit = std::getenv("HEARTH_COMMIT");
  const size_t all = std::thread::hardware_concurrency();
  std::printf("%s, %zu threads, commit %s, kernels %s, median of %zu rounds\n", processor().c_str(),
              all, commit ? commit : "unknown", kernels->name, kRounds - 1);
  const std::string only = count > 2 ? arguments[2] : "";
  for (const size_t threads : {size_t{1}, all}) {
    std::printf(
        "%zu thread(s): gemm of %zu x %zu weights with %zu tokens; operations (prepare_x: "
        "elements)\n",
        threads, kGemmRows, kGemmColumns, kGemmTokens);
    if (only.empty() || only == "gemm") bench_gemm(bench, threads);
    std::printf("%zu thread(s): attention, operations\n", threads);
    if (only.empty() || only == "attention") bench_attention(bench, threads);
  }
  std::free(bench.memory);
  return 0;
}
