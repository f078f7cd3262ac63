// Cores by kind, from folders as Linux shows them for processors that this machine is none of.
#include "system/cores.h"

#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "support.h"

namespace hearth_test {
namespace {

void write(const std::string& path, const std::string& text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path) << text << "\n";
}

void place(const std::string& root, int cpu, int core) {
  const std::string path = root + "/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/";
  write(path + "core_id", std::to_string(core));
  write(path + "physical_package_id", "0");
}

struct Expected {
  const char* name;
  uint32_t logical;
  uint32_t physical;
  uint32_t performance;
};

void check(const std::string& root, const std::vector<int>& processors, const Expected& expected,
           Checks& checks) {
  const hearth::CoreCounts counts = hearth::count_cores(root, processors);
  const Case what = {"linux", "cores", expected.name};
  checks.near(what, counts.logical, expected.logical, 0);
  checks.near(what, counts.physical, expected.physical, 0);
  checks.near(what, counts.performance, expected.performance, 0);
}

std::vector<int> first(int count) {
  std::vector<int> processors;
  for (int cpu = 0; cpu < count; cpu++) processors.push_back(cpu);
  return processors;
}

void test_all(const std::string& folder, Checks& checks) {
  // An i7-12700K: eight cores of two threads, four small ones.
  const std::string intel = folder + "/intel";
  for (int cpu = 0; cpu < 16; cpu++) place(intel, cpu, cpu / 2 * 4);
  for (int cpu = 16; cpu < 20; cpu++) place(intel, cpu, cpu + 20);
  write(intel + "/devices/cpu_core/cpus", "0-15");
  write(intel + "/devices/cpu_atom/cpus", "16-19");
  check(intel, first(20), {"hybrid with hyperthreads", 20, 12, 8}, checks);
  check(intel, {14, 15, 16}, {"some of a hybrid", 3, 2, 1}, checks);
  check(intel, {16, 17}, {"the small ones of a hybrid alone", 2, 2, 2}, checks);

  // A phone's four small cores, three large ones and one at a higher clock.
  const std::string arm = folder + "/arm";
  const char* capacity[] = {"325", "325", "325", "325", "870", "870", "870", "1024"};
  for (int cpu = 0; cpu < 8; cpu++) {
    place(arm, cpu, cpu);
    write(arm + "/devices/system/cpu/cpu" + std::to_string(cpu) + "/cpu_capacity", capacity[cpu]);
  }
  check(arm, first(8), {"three kinds of cores", 8, 8, 4}, checks);

  const std::string plain = folder + "/plain";
  for (int cpu = 0; cpu < 8; cpu++) place(plain, cpu, cpu % 4);
  check(plain, first(8), {"one kind with hyperthreads", 8, 4, 4}, checks);
  check(folder + "/none", first(3), {"a system that says nothing", 3, 3, 3}, checks);
}

}  // namespace
}  // namespace hearth_test

int main() {
  hearth_test::Checks checks;
  const auto folder = std::filesystem::temp_directory_path() /
                      ("hearth-cores-" + std::to_string(std::random_device()()));
  hearth_test::test_all(folder.string(), checks);
  std::filesystem::remove_all(folder);
  return checks.finish("cores_test");
}
