// Cores by kind, as Linux describes them in /sys.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hearth {

// Of the logical processors that were asked about.
struct CoreCounts {
  uint32_t logical = 0;
  // Those that share a core (hyperthreads) count once.
  uint32_t physical = 0;
  // Physical ones of the fast kind: all of them where there is one kind.
  uint32_t performance = 0;
};

// `root`: the folder that holds `devices`, /sys but for tests. What a system does not say leaves every
// logical processor a fast core of its own.
CoreCounts count_cores(const std::string& root, const std::vector<int>& processors);

}  // namespace hearth
