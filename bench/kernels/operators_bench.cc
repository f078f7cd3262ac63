// The neuron-aware operators beside the dense product: gemv, gather_dot and axpy of every weight
// type at every density requested, interleaved with plain reads of memory. Prints raw samples as
// one JSON object; bench/kernels/run.mjs makes tables and pictures of it. Arguments:
//
//   [isa=NAME] [columns=4096] [rows=N | mib=256] [flush-mib=64] [rounds=5] [threads=N]
//   [types=F16,Q4_0] [densities=1,5,100]
//
// rows= gives all types a matrix of the same shape, mib= one of the same bytes.
#include <cmath>
#include <cstdio>
#include <string>

#include "measuring.h"

namespace {

using hearth::GemvTask;
using hearth::Kernels;
using hearth::Matrix;
using hearth::Range;
using hearth::RowList;
using hearth::WeightKernels;
using hearth::WeightType;
using namespace hearth::bench;

constexpr size_t kPage = 4096;
constexpr float kInput = 0.5f, kCoefficient = 0.01f;

struct Settings {
  const Kernels* kernels;
  size_t columns;
  size_t matrix_rows;  // 0: the most that fit into `bytes`
  size_t bytes;        // of the matrix, all types alike unless its rows are given
  size_t flush_bytes;  // read before every sample, so that none finds its rows in a cache
  size_t rounds;       // counted; one more before them warms up
  size_t threads;
  std::string types;
  std::vector<size_t> percents;
  uint8_t* memory;
  uint8_t* flush;
};

// One line of the table: what it reads and how long each round took.
struct Series {
  const char* name;
  size_t percent;
  size_t rows;
  std::vector<double> cpu;
  std::vector<double> wall;
};

// A matrix of one type in memory, and room for the vectors.
struct Operands {
  const Settings& settings;
  const WeightKernels* kernels;
  Matrix w;
  size_t rows;
  void* x;  // prepared
  std::vector<float> y;
  std::vector<float> coefficient;
  std::vector<std::vector<float>> sums;  // of axpy, one for each thread
};

// `count` of `rows` rows, rising, each set equally likely (Knuth, The Art of Computer Programming
// 3.4.2, algorithm S).
std::vector<uint32_t> sample_rows(size_t rows, size_t count, uint64_t& state) {
  std::vector<uint32_t> index;
  index.reserve(count);
  for (size_t r = 0; r < rows && index.size() < count; ++r) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const double uniform = static_cast<double>(state >> 11) * 0x1p-53;
    const double left = static_cast<double>(count - index.size());
    if (uniform * static_cast<double>(rows - r) < left) index.push_back(static_cast<uint32_t>(r));
  }
  return index;
}

void read_all(const Kernels* kernels, const uint8_t* data, size_t bytes, Range pages) {
  const size_t end = std::min(pages.end * kPage, bytes);
  volatile uint64_t sum =
      kernels->vector.read_stream(data + pages.begin * kPage, end - pages.begin * kPage);
  (void)sum;
}

ThreadBody body_of(const std::string& name, Operands& on, const std::vector<uint32_t>& list) {
  const Settings& settings = on.settings;
  const auto part_of = [&list](size_t thread, size_t threads) {
    const Range part = share(list.size(), thread, threads);
    return RowList{list.data() + part.begin, part.end - part.begin};
  };
  if (name == "read")
    return [&](size_t thread, size_t threads) {
      read_all(settings.kernels, static_cast<const uint8_t*>(on.w.data), settings.bytes,
               share(settings.bytes / kPage, thread, threads));
    };
  if (name == "dense")
    return [&](size_t thread, size_t threads) {
      const Range rows = share(on.rows, thread, threads);
      on.kernels->gemv(GemvTask{on.w, on.x, rows, on.y.data(), nullptr});
    };
  if (name == "gather_dot")
    return [&, part_of](size_t thread, size_t threads) {
      const RowList part = part_of(thread, threads);
      on.kernels->gather_dot(on.w, on.x, part, on.y.data() + (part.index - list.data()));
    };
  return [&, part_of](size_t thread, size_t threads) {
    const RowList part = part_of(thread, threads);
    const float* coefficient = on.coefficient.data() + (part.index - list.data());
    on.kernels->axpy(on.w, part, coefficient, {0, settings.columns}, on.sums[thread].data());
  };
}

// Before anything is timed: both sparse operators against sums over dequantised rows, within the
// rounding of 8-bit activations (x and every element are constants, so that rounding is tiny here)
// and of the order of summation.
bool is_right(Operands& on) {
  std::vector<uint32_t> list;
  for (uint32_t r = 0; r < std::min<size_t>(on.rows, 64); r += 3) list.push_back(r);
  const RowList rows = {list.data(), list.size()};
  const size_t columns = on.settings.columns;
  std::vector<float> row(columns), dots(list.size()), sum(columns), expected(columns);
  std::vector<float> scale(columns);
  on.kernels->gather_dot(on.w, on.x, rows, dots.data());
  on.kernels->axpy(on.w, rows, on.coefficient.data(), {0, columns}, sum.data());
  const double kRelative = static_cast<double>(columns) * 0x1p-24;
  for (size_t i = 0; i < list.size(); ++i) {
    on.kernels->dequantise_row(static_cast<const uint8_t*>(on.w.data) + list[i] * on.w.row_bytes,
                               columns, row.data());
    double dot = 0, magnitude = 0;
    for (size_t c = 0; c < columns; ++c) {
      dot += static_cast<double>(row[c]) * kInput;
      magnitude += std::fabs(static_cast<double>(row[c]) * kInput);
      expected[c] += kCoefficient * row[c];
      scale[c] += std::fabs(kCoefficient * row[c]);
    }
    if (!(std::fabs(dot - dots[i]) <= kRelative * magnitude)) return false;
  }
  for (size_t c = 0; c < columns; ++c)
    if (!(std::fabs(sum[c] - expected[c]) <= kRelative * scale[c])) return false;
  return true;
}

std::vector<Series> measure(Operands& on) {
  const Settings& settings = on.settings;
  std::vector<Series> all = {{"read", 100, on.rows, {}, {}}, {"dense", 100, on.rows, {}, {}}};
  for (const size_t percent : settings.percents) {
    const size_t rows = std::max<size_t>(1, on.rows * percent / 100);
    all.push_back({"gather_dot", percent, rows, {}, {}});
    all.push_back({"axpy", percent, rows, {}, {}});
  }
  uint64_t state = 12345;
  const ThreadBody flush = [&](size_t thread, size_t threads) {
    read_all(settings.kernels, settings.flush, settings.flush_bytes,
             share(settings.flush_bytes / kPage, thread, threads));
  };
  for (size_t round = 0; round <= settings.rounds; ++round) {
    for (Series& series : all) {
      // Other rows in every round: no list is learnt by a prefetcher or a cache.
      const std::vector<uint32_t> list = sample_rows(on.rows, series.rows, state);
      const Timing time = timed(settings.threads, flush, body_of(series.name, on, list));
      if (round == 0) continue;
      series.cpu.push_back(time.cpu);
      series.wall.push_back(time.wall);
    }
  }
  return all;
}

void print_numbers(const char* key, const std::vector<double>& values) {
  std::printf("\"%s\": [", key);
  for (size_t i = 0; i < values.size(); ++i) std::printf("%s%.9f", i ? ", " : "", values[i]);
  std::printf("]");
}

void print(const char* type, const Operands& on, const std::vector<Series>& all, bool& is_first) {
  for (const Series& series : all) {
    const bool is_read = std::strcmp(series.name, "read") == 0;
    std::printf("%s\n  {\"type\": \"%s\", \"operator\": \"%s\", \"percent\": %zu, \"bytes\": %zu, ",
                is_first ? "" : ",", type, series.name, series.percent,
                is_read ? on.settings.bytes : series.rows * on.w.row_bytes);
    print_numbers("cpu_seconds", series.cpu);
    std::printf(", ");
    print_numbers("seconds", series.wall);
    std::printf("}");
    is_first = false;
  }
}

// Calls take(word) for each part of "a,b,c".
void each_word(const std::string& list, const std::function<void(const std::string&)>& take) {
  for (size_t at = 0; at <= list.size();) {
    const size_t comma = std::min(list.find(',', at), list.size());
    if (comma > at) take(list.substr(at, comma - at));
    at = comma + 1;
  }
}

// The value of `name=value`, or `otherwise`.
std::string argument(int count, char** arguments, const std::string& name,
                     const std::string& otherwise) {
  for (int i = 1; i < count; ++i)
    if (std::strncmp(arguments[i], (name + "=").c_str(), name.size() + 1) == 0)
      return arguments[i] + name.size() + 1;
  return otherwise;
}

// False when the kernels of the type give wrong results.
bool run_type(WeightType type, const Settings& settings, bool& is_first) {
  const size_t columns = settings.columns;
  const size_t row_bytes = hearth::row_bytes(type, columns);
  const size_t rows = settings.matrix_rows > 0 ? settings.matrix_rows : settings.bytes / row_bytes;
  Operands on = {settings,
                 hearth::weight_kernels(settings.kernels, static_cast<uint32_t>(type)),
                 {settings.memory, columns, row_bytes},
                 rows,
                 allocate(hearth::x_bytes(type, columns)),
                 std::vector<float>(rows),
                 std::vector<float>(rows, kCoefficient),
                 std::vector<std::vector<float>>(settings.threads, std::vector<float>(columns))};
  const std::vector<float> x(columns, kInput);
  on.kernels->prepare_x(x.data(), columns, on.x);
  const bool right = is_right(on);
  if (right) print(hearth::weight_type_name(type), on, measure(on), is_first);
  std::free(on.x);
  return right;
}

bool run_all(const Settings& settings) {
  std::printf("{\"kernels\": \"%s\", \"threads\": %zu, \"columns\": %zu, \"runs\": [",
              settings.kernels->name, settings.threads, settings.columns);
  bool is_first = true;
  for (const WeightType type : hearth::kWeightTypes) {
    const char* name = hearth::weight_type_name(type);
    bool is_wanted = settings.types.empty();
    each_word(settings.types, [&](const std::string& word) { is_wanted |= word == name; });
    if (!is_wanted) continue;
    fill(type, settings.memory, settings.bytes);
    if (!run_type(type, settings, is_first)) {
      std::fprintf(stderr, "operators_bench: wrong results for %s\n", name);
      return false;
    }
  }
  std::printf("\n]}\n");
  return true;
}

}  // namespace

int main(int count, char** arguments) {
  const auto text = [&](const char* name, const std::string& otherwise) {
    return argument(count, arguments, name, otherwise);
  };
  const auto number = [&](const char* name, size_t otherwise) {
    const int value = std::atoi(text(name, std::to_string(otherwise)).c_str());
    return static_cast<size_t>(std::max(1, value));
  };
  const std::string isa = text("isa", "");
  const size_t columns = number("columns", 4096);
  const size_t rows = std::strtoul(text("rows", "0").c_str(), nullptr, 10);
  if (columns % 256 != 0) {
    std::fprintf(stderr, "operators_bench: columns must be a multiple of 256\n");
    return 1;
  }
  Settings settings = {hearth::select_kernels(isa.empty() ? nullptr : isa.c_str()),
                       columns,
                       rows,
                       // Rows of a number are no longer than F32's.
                       rows > 0 ? rows * columns * sizeof(float) : number("mib", 256) << 20,
                       number("flush-mib", 64) << 20,
                       number("rounds", 5),
                       number("threads", std::thread::hardware_concurrency()),
                       text("types", ""),
                       {},
                       nullptr,
                       nullptr};
  if (!settings.kernels) {
    std::fprintf(stderr, "operators_bench: no kernels \"%s\" on this machine\n", isa.c_str());
    return 1;
  }
  each_word(text("densities", "1,2,5,10,20,30,50,100"), [&](const std::string& word) {
    settings.percents.push_back(static_cast<size_t>(std::clamp(std::atoi(word.c_str()), 1, 100)));
  });
  settings.memory = static_cast<uint8_t*>(allocate(settings.bytes));
  settings.flush = static_cast<uint8_t*>(allocate(settings.flush_bytes));
  std::memset(settings.flush, 1, settings.flush_bytes);
  const bool right = run_all(settings);
  std::free(settings.flush);
  std::free(settings.memory);
  return right ? 0 : 1;
}
