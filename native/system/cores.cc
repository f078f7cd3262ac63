// See cores.h. Of a hybrid processor, Intel's systems list the fast processors in
// devices/cpu_core/cpus; ARM's say of each how fast it is, in 1024ths of the fastest
// (devices/system/cpu/cpuN/cpu_capacity).
#include "cores.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <utility>

namespace hearth {

namespace {

// Of the fastest core's capacity. The fast cores of one processor differ by up to a third (a few run
// at a higher clock than the others); its small ones have a sixth to a half (Cortex-A55 beside A78: a
// third).
constexpr double kFastShare = 0.6;

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// "0-3,8" → 0, 1, 2, 3, 8.
std::set<int> listed(const std::string& text) {
  std::set<int> numbers;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, ',');) {
    int first = 0;
    int last = 0;
    char dash = ' ';
    std::istringstream range(part);
    if (!(range >> first)) continue;
    if (!(range >> dash >> last)) last = first;
    for (int number = first; number <= last; number++) numbers.insert(number);
  }
  return numbers;
}

// The fast ones of the processors, all where nothing tells them apart.
std::set<int> fast_of(const std::string& root, const std::vector<int>& processors) {
  const std::set<int> core = listed(first_line(root + "/devices/cpu_core/cpus"));
  std::map<int, double> capacity;
  double most = 0;
  for (const int cpu : processors) {
    const std::string path =
        root + "/devices/system/cpu/cpu" + std::to_string(cpu) + "/cpu_capacity";
    std::istringstream(first_line(path)) >> capacity[cpu];
    most = std::max(most, capacity[cpu]);
  }
  std::set<int> fast;
  for (const int cpu : processors) {
    const bool is_fast = core.empty() ? capacity[cpu] >= kFastShare * most : core.count(cpu) > 0;
    if (is_fast) fast.insert(cpu);
  }
  // A process that may run on the small ones alone.
  return fast.empty() ? std::set<int>(processors.begin(), processors.end()) : fast;
}

}  // namespace

CoreCounts count_cores(const std::string& root, const std::vector<int>& processors) {
  const std::set<int> fast = fast_of(root, processors);
  std::set<std::pair<std::string, std::string>> physical;
  std::set<std::pair<std::string, std::string>> performance;
  for (const int cpu : processors) {
    const std::string path = root + "/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/";
    const std::string core = first_line(path + "core_id");
    const std::pair<std::string, std::string> place{
        first_line(path + "physical_package_id"),
        core.empty() ? "cpu" + std::to_string(cpu) : core};
    physical.insert(place);
    if (fast.count(cpu) > 0) performance.insert(place);
  }
  return CoreCounts{static_cast<uint32_t>(processors.size()),
                    static_cast<uint32_t>(physical.size()),
                    static_cast<uint32_t>(performance.size())};
}

}  // namespace hearth
