// See topology.h. Linux: from /sys and /proc; macOS: from sysctl; Windows: from its own calls;
// elsewhere: from the standard library.
#include "topology.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#include <unistd.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#elif defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>
#endif

#include "../kernels/x64-features.h"
#include "cores.h"

namespace hearth {

namespace {

std::string cpu_features() {
  std::string names;
#if defined(__x86_64__)
  const X64Features has = read_x64_features();
#define HEARTH_ADD(field, name) \
  if (has.field) names += (names.empty() ? "" : " ") + std::string(name);
  HEARTH_X64_FEATURES(HEARTH_ADD)
#undef HEARTH_ADD
#elif defined(__aarch64__)
  names = "neon";
#if defined(__ARM_FEATURE_DOTPROD)
  names += " dotprod";
#endif
#endif
  return names;
}

#if defined(__linux__)

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// The value after "name :" or "name:" in a file of such lines.
std::string field(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.compare(0, name.size(), name) != 0) continue;
    const size_t at = line.find_first_not_of(" \t", line.find(':') + 1);
    return at == std::string::npos ? "" : line.substr(at);
  }
  return "";
}

void read_cores(Topology& topology) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  std::vector<int> processors;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0) {
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
      if (CPU_ISSET(cpu, &allowed)) processors.push_back(cpu);
    }
  }
  if (processors.empty()) return;
  const CoreCounts cores = count_cores("/sys", processors);
  topology.usable_cores = cores.logical;
  topology.physical_cores = cores.physical;
  topology.performance_cores = cores.performance;
}

void read_caches(Topology& topology) {
  for (int index = 0; index < 8; index++) {
    const std::string path =
        "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index) + "/";
    const std::string size = first_line(path + "size");
    if (size.empty() || first_line(path + "type") == "Instruction") continue;
    std::istringstream stream(size);
    double value = 0;
    char unit = ' ';
    stream >> value >> unit;
    topology.cache_bytes.push_back(value * (unit == 'M' ? 1 << 20 : unit == 'K' ? 1 << 10 : 1));
  }
}

uint64_t kilobytes(const std::string& name) {
  return std::strtoull(field("/proc/meminfo", name).c_str(), nullptr, 10) * 1024;
}

void read_system(Topology& topology) {
  read_cores(topology);
  read_caches(topology);
  topology.cpu = field("/proc/cpuinfo", "model name");
  topology.memory_bytes = kilobytes("MemTotal");
  topology.available_bytes = kilobytes("MemAvailable");
}

#elif defined(__APPLE__)

uint64_t sysctl_number(const char* name) {
  uint64_t value = 0;
  size_t size = sizeof(value);
  return sysctlbyname(name, &value, &size, nullptr, 0) == 0 ? value : 0;
}

void read_system(Topology& topology) {
  const uint64_t physical = sysctl_number("hw.physicalcpu");
  const uint64_t fast = sysctl_number("hw.perflevel0.physicalcpu");
  if (physical > 0) topology.physical_cores = static_cast<uint32_t>(physical);
  topology.performance_cores = fast > 0 ? static_cast<uint32_t>(fast) : topology.physical_cores;
  topology.memory_bytes = sysctl_number("hw.memsize");
  topology.available_bytes = topology.memory_bytes;
  char name[256] = "";
  size_t size = sizeof(name);
  if (sysctlbyname("machdep.cpu.brand_string", name, &size, nullptr, 0) == 0) topology.cpu = name;
  for (const char* cache : {"hw.l1dcachesize", "hw.l2cachesize", "hw.l3cachesize"}) {
    const uint64_t bytes = sysctl_number(cache);
    if (bytes > 0) topology.cache_bytes.push_back(static_cast<double>(bytes));
  }
}

#elif defined(_WIN32)

std::string cpu_name() {
#if defined(__x86_64__)
  const std::string name = read_x64_brand().name;
  const size_t start = name.find_first_not_of(' ');
  return start == std::string::npos ? ""
                                    : name.substr(start, name.find_last_not_of(' ') + 1 - start);
#else
  char name[256] = "";
  DWORD size = sizeof(name);
  const char* key = "HARDWARE\\DESCRIPTION\\System\\CentralProcessor\\0";
  RegGetValueA(HKEY_LOCAL_MACHINE, key, "ProcessorNameString", RRF_RT_REG_SZ, nullptr, name, &size);
  return name;
#endif
}

// A record of a variable length: cores and caches of this machine.
using Record = SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX;

// Empty where the system does not say.
std::vector<uint8_t> processor_records() {
  DWORD bytes = 0;
  GetLogicalProcessorInformationEx(RelationAll, nullptr, &bytes);
  std::vector<uint8_t> records(bytes);
  auto* first = reinterpret_cast<Record*>(records.data());
  if (bytes == 0 || !GetLogicalProcessorInformationEx(RelationAll, first, &bytes)) return {};
  return records;
}

void read_processors(Topology& topology) {
  DWORD_PTR allowed = 0, system = 0;
  GetProcessAffinityMask(GetCurrentProcess(), &allowed, &system);
  // A process in several groups of 64 has no one mask: all cores count.
  const bool limited = allowed != 0;
  uint32_t physical = 0, logical = 0, fast = 0;
  BYTE fastest = 0;
  double caches[3] = {};
  const std::vector<uint8_t> records = processor_records();
  for (size_t at = 0; at < records.size();) {
    const auto* record = reinterpret_cast<const Record*>(records.data() + at);
    at += record->Size;
    if (record->Relationship == RelationProcessorCore) {
      uint32_t threads = 0;
      for (WORD group = 0; group < record->Processor.GroupCount; group++) {
        const KAFFINITY mask = record->Processor.GroupMask[group].Mask;
        threads += __builtin_popcountll(limited ? mask & allowed : mask);
      }
      logical += threads;
      if (threads == 0) continue;
      physical++;
      // Higher is faster; all the same where there is one kind of cores.
      const BYTE speed = record->Processor.EfficiencyClass;
      if (speed > fastest) fast = 0;
      fastest = std::max(fastest, speed);
      fast += speed == fastest ? 1 : 0;
    } else if (record->Relationship == RelationCache) {
      const CACHE_RELATIONSHIP& cache = record->Cache;
      if (cache.Type == CacheInstruction || cache.Level < 1 || cache.Level > 3) continue;
      double& bytes = caches[cache.Level - 1];
      bytes = std::max(bytes, static_cast<double>(cache.CacheSize));
    }
  }
  if (logical > 0) topology.usable_cores = logical;
  if (physical > 0) {
    topology.physical_cores = physical;
    topology.performance_cores = fast;
  }
  for (const double bytes : caches) {
    if (bytes > 0) topology.cache_bytes.push_back(bytes);
  }
}

void read_system(Topology& topology) {
  topology.cpu = cpu_name();
  read_processors(topology);
  MEMORYSTATUSEX memory = {};
  memory.dwLength = sizeof(memory);
  if (GlobalMemoryStatusEx(&memory)) {
    topology.memory_bytes = memory.ullTotalPhys;
    topology.available_bytes = memory.ullAvailPhys;
  }
}

#else

void read_system(Topology&) {}

#endif

}  // namespace

Topology read_topology() {
  Topology topology;
  topology.features = cpu_features();
  topology.usable_cores = std::max(1u, std::thread::hardware_concurrency());
  topology.physical_cores = topology.usable_cores;
  topology.performance_cores = topology.usable_cores;
  read_system(topology);
  return topology;
}

}  // namespace hearth
