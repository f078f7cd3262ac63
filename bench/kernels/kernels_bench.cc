// Measures the CPU kernels against the read roof of the same run: node tools/build-native.mjs
// --bench [ISA] [MiB]. Gemv, gather and axpy: bytes of weights per second of thread CPU time (wall
// time beside it), one thread and all. Every round runs the roof and all configurations once,
// interleaved; printed: median, lowest and highest.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "kernels/kernels.h"

namespace {

using hearth::Kernels;
using hearth::Matrix;
using hearth::WeightKernels;
using hearth::WeightType;

constexpr size_t kColumns = 4096;
constexpr size_t kRounds = 7;  // the first warms up and is not counted
constexpr size_t kGemmRows = 1024;
constexpr size_t kGemmColumns = 2048;
constexpr size_t kGemmTokens = 128;

struct NamedType {
  const char* name;
  WeightType type;
};

constexpr NamedType kTypes[] = {
    {"F32", WeightType::kF32},   {"F16", WeightType::kF16},   {"BF16", WeightType::kBF16},
    {"Q8_0", WeightType::kQ8_0}, {"Q4_0", WeightType::kQ4_0}, {"Q4_1", WeightType::kQ4_1},
    {"Q5_0", WeightType::kQ5_0}, {"Q5_1", WeightType::kQ5_1}, {"Q4_K", WeightType::kQ4_K},
    {"Q5_K", WeightType::kQ5_K}, {"Q6_K", WeightType::kQ6_K}};

double seconds(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

void* allocate(size_t bytes) {
  void* data = nullptr;
  if (posix_memalign(&data, 4096, bytes) != 0) std::abort();
  return data;
}

struct Timing {
  double cpu;
  double wall;
};

// Runs body(thread, threads); the CPU time is the mean over threads.
Timing timed(size_t threads, const std::function<void(size_t, size_t)>& body) {
  std::vector<double> cpu(threads);
  const double start = seconds(CLOCK_MONOTONIC);
  const auto work = [&](size_t thread) {
    const double begin = seconds(CLOCK_THREAD_CPUTIME_ID);
    body(thread, threads);
    cpu[thread] = seconds(CLOCK_THREAD_CPUTIME_ID) - begin;
  };
  std::vector<std::thread> others;
  for (size_t i = 1; i < threads; ++i) others.emplace_back(work, i);
  work(0);
  for (std::thread& other : others) other.join();
  double sum = 0;
  for (const double one : cpu) sum += one;
  return {sum / static_cast<double>(threads), seconds(CLOCK_MONOTONIC) - start};
}

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
      const Timing time = timed(threads, config.body);
      if (round == 0) continue;
      config.cpu_rate.push_back(config.amount / time.cpu * 1e-9);
      config.wall_rate.push_back(config.amount / time.wall * 1e-9);
    }
  }
}

void print(const std::vector<Config>& configs, const char* unit, bool against_first) {
  for (const Config& config : configs) {
    const double middle = median(config.cpu_rate);
    const auto ends = std::minmax_element(config.cpu_rate.begin(), config.cpu_rate.end());
    std::printf("  %-22s %8.2f %s (%.2f-%.2f), wall %8.2f", config.name.c_str(), middle, unit,
                *ends.first, *ends.second, median(config.wall_rate));
    if (against_first)
      std::printf("  %5.1f %% of the roof", 100 * middle / median(configs[0].cpu_rate));
    std::printf("\n");
  }
}

// Small f16 and f32 values wherever a scale may lie: every byte pattern below is a finite number
// near 0.01.
void fill(WeightType type, uint8_t* data, size_t bytes) {
  if (type == WeightType::kF32) {
    for (size_t i = 0; i + 4 <= bytes; i += 4) {
      const float value = static_cast<float>(i % 97) * 0.01f - 0.5f;
      std::memcpy(data + i, &value, 4);
    }
    return;
  }
  for (size_t i = 0; i < bytes; ++i) data[i] = i % 2 ? 0x2c : static_cast<uint8_t>(i * 31);
}

hearth::Range share(size_t count, size_t thread, size_t threads) {
  return {count * thread / threads, count * (thread + 1) / threads};
}

struct Bench {
  const Kernels* kernels;
  uint8_t* memory;
  size_t bytes;
};

std::vector<uint32_t> sparse_rows(size_t rows, size_t percent) {
  std::vector<uint32_t> index;
  uint32_t state = 12345;
  for (uint32_t r = 0; r < rows; ++r) {
    state = state * 1664525u + 1013904223u;
    if ((state >> 8) % 100 < percent) index.push_back(r);
  }
  return index;
}

Config roof(const Bench& bench) {
  return {"read roof",
          static_cast<double>(bench.bytes),
          [=](size_t thread, size_t threads) {
            const hearth::Range part = share(bench.bytes / 4096, thread, threads);
            volatile uint64_t sum = bench.kernels->vector.read_stream(
                bench.memory + part.begin * 4096, (part.end - part.begin) * 4096);
            (void)sum;
          },
          {},
          {}};
}

// The gemv of a type and, for the types that sparse models use, gather and axpy at several
// densities.
void bench_type(const Bench& bench, const NamedType& named, size_t threads, bool sparse) {
  const WeightKernels* table =
      hearth::weight_kernels(bench.kernels, static_cast<uint32_t>(named.type));
  const size_t row_bytes = hearth::row_bytes(named.type, kColumns);
  const size_t rows = bench.bytes / row_bytes;
  fill(named.type, bench.memory, bench.bytes);
  const Matrix w = {bench.memory, kColumns, row_bytes};
  std::vector<float> x(kColumns, 0.5f);
  void* prepared = allocate(hearth::x_bytes(named.type, kColumns));
  table->prepare_x(x.data(), kColumns, prepared);
  std::vector<float> y(rows + kColumns * threads);
  std::vector<float> coefficient(rows, 0.01f);
  std::vector<std::vector<uint32_t>> index;
  for (const size_t percent : {5, 10, 20, 50, 100}) index.push_back(sparse_rows(rows, percent));

  std::vector<Config> configs = {roof(bench)};
  const std::string name = named.name;
  configs.push_back({name + " gemv",
                     static_cast<double>(rows * row_bytes),
                     [&](size_t thread, size_t count) {
                       table->gemv(w, prepared, share(rows, thread, count), y.data());
                     },
                     {},
                     {}});
  for (size_t i = 0; sparse && i < index.size(); ++i) {
    const std::vector<uint32_t>& list = index[i];
    const std::string percent = std::to_string(100 * list.size() / rows) + " %";
    const double amount = static_cast<double>(list.size() * row_bytes);
    configs.push_back({name + " gather " + percent,
                       amount,
                       [&](size_t thread, size_t count) {
                         const hearth::Range part = share(list.size(), thread, count);
                         table->gather_dot(w, prepared,
                                           {list.data() + part.begin, part.end - part.begin},
                                           y.data() + part.begin);
                       },
                       {},
                       {}});
    configs.push_back({name + " axpy " + percent,
                       amount,
                       [&](size_t thread, size_t count) {
                         const hearth::Range part = share(list.size(), thread, count);
                         table->axpy(w, {list.data() + part.begin, part.end - part.begin},
                                     coefficient.data() + part.begin, {0, kColumns},
                                     y.data() + rows + thread * kColumns);
                       },
                       {},
                       {}});
  }
  measure(configs, threads);
  print(configs, "GB/s", true);
  std::free(prepared);
}

void bench_gemm(const Bench& bench, size_t threads) {
  std::vector<Config> configs;
  const size_t scratch_bytes = hearth::gemm_scratch_bytes(kGemmColumns);
  uint8_t* scratch = static_cast<uint8_t*>(allocate(scratch_bytes * threads));
  std::vector<float> x(kGemmColumns, 0.5f);
  std::vector<float> y(kGemmTokens * kGemmRows);
  fill(WeightType::kQ8_0, bench.memory, kGemmRows * kGemmColumns * 4);
  std::vector<void*> buffers;
  for (const NamedType& named : kTypes) {
    const WeightKernels* table =
        hearth::weight_kernels(bench.kernels, static_cast<uint32_t>(named.type));
    const size_t stride = hearth::x_bytes(named.type, kGemmColumns);
    uint8_t* prepared = static_cast<uint8_t*>(allocate(stride * kGemmTokens));
    buffers.push_back(prepared);
    for (size_t t = 0; t < kGemmTokens; ++t)
      table->prepare_x(x.data(), kGemmColumns, prepared + t * stride);
    const Matrix w = {bench.memory, kGemmColumns, hearth::row_bytes(named.type, kGemmColumns)};
    configs.push_back(
        {std::string(named.name) + " gemm",
         2.0 * kGemmRows * kGemmColumns * kGemmTokens,
         [=, &y](size_t thread, size_t count) {
           hearth::Range rows = share(kGemmRows / hearth::kGemmRowTile, thread, count);
           rows = {rows.begin * hearth::kGemmRowTile, rows.end * hearth::kGemmRowTile};
           table->gemm({w, prepared, kGemmTokens, y.data(), kGemmRows, rows,
                        scratch + thread * scratch_bytes});
         },
         {},
         {}});
    configs.push_back({std::string(named.name) + " prepare_x",
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
  print(configs, "G/s", false);
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
                           bench.kernels->vector.attention({hearth::KvType::kF16,
                                                            shape.head_dim,
                                                            shape.heads,
                                                            shape.rows,
                                                            q.data(),
                                                            width,
                                                            k,
                                                            k + (8 << 20),
                                                            kKvHeads * head_bytes,
                                                            {0, shape.positions},
                                                            visible.data(),
                                                            0.125f,
                                                            out.data(),
                                                            width,
                                                            nullptr,
                                                            scratch + thread * scratch_bytes});
                         }
                       },
                       {},
                       {}});
  }
  measure(configs, threads);
  print(configs, "G/s", false);
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
  const size_t bytes = static_cast<size_t>(count > 2 ? std::atoi(arguments[2]) : 512) << 20;
  const Bench bench = {kernels, static_cast<uint8_t*>(allocate(bytes)), bytes};
  std::memset(bench.memory, 1, bytes);
  const char* commit = std::getenv("HEARTH_COMMIT");
  const size_t all = std::thread::hardware_concurrency();
  std::printf(
      "%s, %zu threads, commit %s, kernels %s, %zu MiB of weights, %zu columns, median of %zu "
      "rounds\n",
      processor().c_str(), all, commit ? commit : "unknown", kernels->name, bytes >> 20, kColumns,
      kRounds - 1);
  const char* only = count > 3 ? arguments[3] : "";
  for (const size_t threads : {size_t{1}, all}) {
    std::printf(
        "%zu thread(s): gemm of %zu x %zu weights with %zu tokens; operations (prepare_x: "
        "elements)\n",
        threads, kGemmRows, kGemmColumns, kGemmTokens);
    if (!*only || std::strcmp(only, "gemm") == 0) bench_gemm(bench, threads);
    std::printf("%zu thread(s): attention, operations\n", threads);
    if (!*only || std::strcmp(only, "attention") == 0) bench_attention(bench, threads);
    std::printf("%zu thread(s): bytes of weights per second of CPU time\n", threads);
    for (const NamedType& named : kTypes) {
      const bool sparse = named.type == WeightType::kF16 || named.type == WeightType::kBF16 ||
                          named.type == WeightType::kQ8_0 || named.type == WeightType::kQ4_0;
      if (!*only || std::strcmp(only, named.name) == 0) bench_type(bench, named, threads, sparse);
    }
  }
  std::free(bench.memory);
  return 0;
}
