// The counts of a layer's experts.
#pragma once

#include <cstdint>

#include "ffn.h"

namespace hearth {

class ExpertMeter : public Meter<FfnCounts> {
 public:
  ExpertMeter(uint32_t layer, uint32_t neurons) : layer_(layer), neurons_(neurons) {}
  uint32_t layer() const { return layer_; }
  // Of all experts together.
  uint32_t neurons() const { return neurons_; }
  ShownSet shown;

 private:
  uint32_t layer_;
  uint32_t neurons_;
};

}  // namespace hearth
