// Products that read only the input channels that are not zero: Σ_j x_j · row j of the copy W^T.
// Used in steps of few rows, where it is less work than reading all rows of W: that depends on
// shapes, types and counts, never on the number of threads.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "listed-rows.h"
#include "meter.h"
#include "stage.h"

namespace hearth {

// The channels of a slot's rows that are not zero (NaN is not zero), for all products that read the
// slot.
struct ChannelLists {
  Slot slot;
  uint32_t* index = nullptr;  // [sparse rows, stride()], rising
  float* value = nullptr;     // of each index
  uint32_t count[kMaxSparseRows] = {};

  size_t stride() const { return round_up(slot.width, 16); }
};

// Fills the lists of a step with at most kMaxSparseRows rows.
std::unique_ptr<Stage> make_channel_lists(ChannelLists* lists);

struct ChannelCounts {
  double rows = 0;
  double channels = 0;  // row-channel pairs read
  double bytes_touched = 0;
  double bytes_dense = 0;

  void operator+=(const ChannelCounts& other) {
    rows += other.rows;
    channels += other.channels;
    bytes_touched += other.bytes_touched;
    bytes_dense += other.bytes_dense;
  }
};

using ChannelMeter = Meter<ChannelCounts>;

// The memory of an executable's products over channels.
struct ChannelState {
  SharedSums sums;  // of every sum over listed rows
  std::deque<ChannelLists> lists;
  std::deque<ChannelMeter> meters;  // of the matmuls with channels, in the program's order
};

// The products over one slot's channels that run side by side: q, k and v, or gate and up.
class ChannelProducts {
 public:
  ChannelProducts(const Kernels& kernels, const ChannelLists* lists, const SharedSums* sums)
      : kernels_(kernels), lists_(lists), sums_(sums) {}

  // Another product of the slot, of `weight` by its copy; `meter` may be null. Returns its number.
  size_t add(const Weight& weight, const Weight& copy, ChannelMeter* meter);
  // Floats of private sums that a step of at most `max_rows` rows needs.
  size_t sum_floats(size_t max_rows) const;

  // Decides for each product whether it goes by channels. Once a step, when the lists are filled.
  Phase begin(const Step& step);
  void chunk(uint32_t index);

  // Whether the product goes by channels in this step; otherwise it goes by the rows of the weight.
  bool by_channels(size_t product) const { return products_[product].by_channels; }
  bool all_by_channels() const { return running_.size() == products_.size(); }
  // Weight bytes that the product reads by channels in this step.
  double bytes(size_t product) const { return products_[product].bytes; }
  const ListCuts& cuts() const { return cuts_; }
  // y[columns] of the row, its sums joined: valid until the next stage that sums.
  float* join(size_t product, uint32_t row, Range columns) const;

 private:
  struct Product {
    Weight weight;
    Weight copy;
    ChannelMeter* meter;
    size_t column;  // in a private sum
    bool by_channels = false;
    double bytes = 0;
  };

  void decide(Product& product, uint32_t rows, double pairs) const;

  const Kernels& kernels_;
  const ChannelLists* lists_;
  const SharedSums* sums_;
  std::vector<Product> products_;
  std::vector<const Product*> running_;  // of the step at hand
  size_t width_ = 0;                     // of a private sum: all products side by side
  ListCuts cuts_;
};

std::unique_ptr<Stage> make_channel_sums(std::shared_ptr<ChannelProducts> products);

}  // namespace hearth
