// See channels.h.
#include "channels.h"

#include <utility>

#include "matmul.h"

namespace hearth {

namespace {

// Rows of a copy per group, where there are enough: a group's private sum is as long as the output
// and is written and added once more, so that groups of 64 were up to a tenth slower.
constexpr uint32_t kWishedChannels = 128;

// Time per byte of a copy whose rows are added up, relative to a matrix that is read row by row.
// Measured on AVX-512 (Zen 4, mapped file, 2048 to 5632 and to 2048): one thread breaks even where
// seven to eight tenths of the channels are read in F16, three quarters in Q8_0, less than half in
// Q4_0; two threads with nine tenths in F16, nearly all in Q8_0, three fifths in Q4_0. Two count.
double cost_per_byte(WeightType copy) {
  switch (copy) {
    case WeightType::kF32:
    case WeightType::kF16:
    case WeightType::kBF16:
      return 1.1;
    case WeightType::kQ8_0:
      return 1.2;
    case WeightType::kQ4_0:
      return 1.8;
    default:
      return 4;
  }
}

// Time of reading a matrix for all rows of a step, relative to reading it for one: from the second
// level of cache another row costs about two fifths (F16 0.4 on one and two threads, Q8_0 0.6 and
// 0.3), in a matrix product hardly anything.
double cost_of_rows(const Weight& weight, uint32_t rows) {
  const auto most = static_cast<double>(weight.kernels->gemm_tokens);
  return 1 + 0.4 * (std::min<double>(rows, most) - 1);
}

// Lists whose total length exceeds this multiple of the channels are not used: their sums need
// memory.
constexpr size_t kMostChannels = 2;

class ChannelListStage final : public RowStage {
 public:
  // Finding a channel costs about as much as four floats of an elementwise pass.
  explicit ChannelListStage(ChannelLists* lists)
      : RowStage(lists->slot, size_t{4} * lists->slot.width), lists_(lists) {}

 protected:
  void run_rows(const Step& step, uint32_t begin, uint32_t end) override {
    if (lists_->slot.rows(step) > kMaxSparseRows) return;
    for (uint32_t row = begin; row < end; row++) fill(row);
  }

 private:
  void fill(uint32_t row) {
    const float* x = lists_->slot.row(row);
    uint32_t* index = lists_->index + row * lists_->stride();
    float* value = lists_->value + row * lists_->stride();
    uint32_t count = 0;
    for (uint32_t i = 0; i < lists_->slot.width; i++) {
      // Always written, and kept by advancing: there is no branch to mispredict.
      index[count] = i;
      value[count] = x[i];
      count += x[i] != 0 ? 1 : 0;
    }
    lists_->count[row] = count;
  }

  ChannelLists* lists_;
};

class ChannelSumStage final : public Stage {
 public:
  explicit ChannelSumStage(std::shared_ptr<ChannelProducts> products)
      : products_(std::move(products)) {}

  Phase begin(const Step& step) override { return products_->begin(step); }
  void chunk(const Step&, uint32_t index, const Scratch&) override { products_->chunk(index); }

 private:
  std::shared_ptr<ChannelProducts> products_;
};

}  // namespace

size_t ChannelProducts::add(const Weight& weight, const Weight& copy, ChannelMeter* meter) {
  products_.push_back(Product{weight, copy, meter, width_});
  // Each product's part of a sum on a cache line of its own.
  width_ += round_up(copy.matrix.columns, 16);
  return products_.size() - 1;
}

size_t ChannelProducts::sum_floats(size_t max_rows) const {
  const size_t rows = std::min<size_t>(max_rows, kMaxSparseRows);
  const size_t wished = ceil_divide(kMostChannels * lists_->slot.width, kWishedChannels);
  // A row has up to 3 groups more, for the multiple of 4, and is rounded up itself.
  return std::min(rows * kMaxGroups, wished + rows * 4) * width_;
}

void ChannelProducts::decide(Product& product, uint32_t rows, double pairs) const {
  const Weight& weight = product.weight;
  product.bytes = pairs * static_cast<double>(product.copy.matrix.row_bytes);
  const double by_channels = product.bytes * cost_per_byte(product.copy.type);
  const double by_rows = static_cast<double>(weight.bytes()) * cost_of_rows(weight, rows);
  const size_t most = kMostChannels * lists_->slot.width;
  product.by_channels = by_channels <= by_rows && pairs <= static_cast<double>(most);
}

Phase ChannelProducts::begin(const Step& step) {
  const uint32_t rows = lists_->slot.rows(step);
  running_.clear();
  double pairs = 0;
  const bool listed = rows > 0 && rows <= kMaxSparseRows;
  for (uint32_t row = 0; listed && row < rows; row++) pairs += lists_->count[row];
  double bytes = 0;
  for (Product& product : products_) {
    product.by_channels = false;
    if (listed) decide(product, rows, pairs);
    if (product.by_channels) running_.push_back(&product);
    if (product.by_channels) bytes += product.bytes;
    if (product.meter == nullptr || rows == 0) continue;
    const double all = static_cast<double>(rows) * lists_->slot.width;
    const double dense = static_cast<double>(product.weight.bytes());
    product.meter->add(product.by_channels
                           ? ChannelCounts{static_cast<double>(rows), pairs, product.bytes, dense}
                           : ChannelCounts{static_cast<double>(rows), all, dense, dense});
  }
  if (running_.empty()) return Phase{0, false};
  cuts_.assign(lists_->count, rows, kWishedChannels);
  const auto chunks = cuts_.chunks() * static_cast<uint32_t>(running_.size());
  return Phase{chunks, wakes_for(static_cast<size_t>(bytes))};
}

void ChannelProducts::chunk(uint32_t index) {
  const Product& product = *running_[index / cuts_.chunks()];
  const ListCuts::Group group = cuts_.group(index % cuts_.chunks());
  if (group.count == 0) return;
  const size_t at = group.row * lists_->stride() + group.begin;
  sum_rows(product.copy, RowList{lists_->index + at, group.count}, lists_->value + at,
           sums_->data + group.sum * width_ + product.column);
}

float* ChannelProducts::join(size_t product, uint32_t row, Range columns) const {
  const size_t at = products_[product].column + columns.begin;
  float* sums = sums_->data + cuts_.first_sum(row) * width_ + at;
  join_sums(kernels_.vector, cuts_.of(row).groups, width_, columns.end - columns.begin, sums);
  return sums;
}

std::unique_ptr<Stage> make_channel_lists(ChannelLists* lists) {
  return std::make_unique<ChannelListStage>(lists);
}

std::unique_ptr<Stage> make_channel_sums(std::shared_ptr<ChannelProducts> products) {
  return std::make_unique<ChannelSumStage>(std::move(products));
}

}  // namespace hearth
