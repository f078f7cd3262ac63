// Facts about this machine: usable cores, caches, memory, instruction sets. Read once, for defaults
// and for `doctor`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hearth {

struct Topology {
  std::string cpu;
  // Names as the compiler spells them, separated by spaces: "avx2 fma avx512f".
  std::string features;
  // Physical cores that this process may run on, by its affinity; quotas of its cgroups are not
  // counted (src/io/cgroup.ts).
  uint32_t physical_cores = 1;
  // Those of them that are fast, where a processor has two kinds: work is as quick as its slowest
  // thread, and an efficiency core would hold the others up.
  uint32_t performance_cores = 1;
  // Logical cores, likewise.
  uint32_t usable_cores = 1;
  uint64_t memory_bytes = 0;
  uint64_t available_bytes = 0;
  // Data caches of one core, from the first level on.
  std::vector<double> cache_bytes;
};

Topology read_topology();

}  // namespace hearth
