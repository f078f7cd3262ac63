// See graphics-cards.h. The structs are Vulkan's own (Vulkan 1.3 specification, vulkan_core.h), as
// far as they are read here.
#include "graphics-cards.h"

#include <cstdio>
#include <cstring>

#if defined(_WIN32)
#include <windows.h>
#elif !defined(__APPLE__)
#include <dlfcn.h>
#endif

namespace hearth {

#if defined(__APPLE__)

// Metal, not Vulkan: one kind of card, with the machine's memory.
std::vector<GraphicsCard> graphics_cards() { return {}; }

#else

namespace {

#if defined(_WIN32)
#define HEARTH_VULKAN_CALL __stdcall
#else
#define HEARTH_VULKAN_CALL
#endif

using Handle = void*;
using Result = int32_t;
constexpr Result kSuccess = 0;
constexpr Result kIncomplete = 5;
constexpr uint32_t kVersion11 = 1 << 22 | 1 << 12;
constexpr uint32_t kVersion12 = 1 << 22 | 2 << 12;
// Against a driver that counts wrongly.
constexpr uint32_t kMaxCards = 64;

// VkStructureType
constexpr uint32_t kApplicationInfo = 0;
constexpr uint32_t kInstanceCreateInfo = 1;
constexpr uint32_t kProperties2 = 1000059001;
constexpr uint32_t kMemoryProperties2 = 1000059006;
constexpr uint32_t kDriverProperties = 1000196000;
constexpr uint32_t kPciBusInfo = 1000212000;
constexpr uint32_t kMemoryBudget = 1000237000;

struct ApplicationInfo {
  uint32_t type = kApplicationInfo;
  const void* next = nullptr;
  const char* application = "hearth";
  uint32_t application_version = 0;
  const char* engine = nullptr;
  uint32_t engine_version = 0;
  uint32_t api_version = kVersion11;
};

struct InstanceCreateInfo {
  uint32_t type = kInstanceCreateInfo;
  const void* next = nullptr;
  uint32_t flags = 0;
  const ApplicationInfo* application = nullptr;
  uint32_t layer_count = 0;
  const char* const* layers = nullptr;
  uint32_t extension_count = 0;
  const char* const* extensions = nullptr;
};

struct ExtensionProperties {
  char name[256];
  uint32_t version;
};

struct Properties2 {
  uint32_t type = kProperties2;
  void* next = nullptr;
  uint32_t api_version = 0;
  uint32_t driver_version = 0;
  uint32_t vendor = 0;
  uint32_t device = 0;
  uint32_t device_type = 0;
  char name[256] = {};
  // Cache id, limits and sparse properties: 544 bytes, and room for what a later version adds.
  alignas(8) uint8_t rest[1024] = {};
};

struct DriverProperties {
  uint32_t type = kDriverProperties;
  void* next = nullptr;
  uint32_t id = 0;
  char name[256] = {};
  char info[256] = {};
  uint8_t conformance[4] = {};
};

struct PciBusInfo {
  uint32_t type = kPciBusInfo;
  void* next = nullptr;
  uint32_t domain = 0, bus = 0, device = 0, function = 0;
};

struct MemoryHeap {
  uint64_t size;
  uint32_t flags;
};

constexpr uint32_t kHeaps = 16;
constexpr uint32_t kDeviceLocal = 1;

struct MemoryProperties2 {
  uint32_t type = kMemoryProperties2;
  void* next = nullptr;
  uint32_t type_count = 0;
  uint32_t types[64] = {};
  uint32_t heap_count = 0;
  MemoryHeap heaps[kHeaps] = {};
};

struct MemoryBudget {
  uint32_t type = kMemoryBudget;
  void* next = nullptr;
  uint64_t budget[kHeaps] = {};
  uint64_t usage[kHeaps] = {};
};

static_assert(sizeof(MemoryHeap) == 16 && sizeof(MemoryProperties2) == 16 + 520,
              "as VkPhysicalDeviceMemoryProperties2");

using Function = void(HEARTH_VULKAN_CALL*)();
using GetInstanceProcAddr = Function(HEARTH_VULKAN_CALL*)(Handle, const char*);
using CreateInstance = Result(HEARTH_VULKAN_CALL*)(const InstanceCreateInfo*, const void*, Handle*);
using DestroyInstance = void(HEARTH_VULKAN_CALL*)(Handle, const void*);
using EnumerateDevices = Result(HEARTH_VULKAN_CALL*)(Handle, uint32_t*, Handle*);
using EnumerateExtensions = Result(HEARTH_VULKAN_CALL*)(Handle, const char*, uint32_t*,
                                                        ExtensionProperties*);
using GetProperties2 = void(HEARTH_VULKAN_CALL*)(Handle, Properties2*);
using GetMemoryProperties2 = void(HEARTH_VULKAN_CALL*)(Handle, MemoryProperties2*);

// Stays loaded: drivers do not expect to be unloaded, and Dawn loads it too.
GetInstanceProcAddr load_vulkan() {
#if defined(_WIN32)
  const HMODULE library = LoadLibraryA("vulkan-1.dll");
  if (library == nullptr) return nullptr;
  return reinterpret_cast<GetInstanceProcAddr>(
      reinterpret_cast<void*>(GetProcAddress(library, "vkGetInstanceProcAddr")));
#else
  void* library = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return nullptr;
  return reinterpret_cast<GetInstanceProcAddr>(dlsym(library, "vkGetInstanceProcAddr"));
#endif
}

class Instance {
 public:
  Instance() : get_(load_vulkan()) {
    if (get_ == nullptr) return;
    const auto create = find<CreateInstance>("vkCreateInstance");
    const ApplicationInfo application;
    InstanceCreateInfo info;
    info.application = &application;
    if (create == nullptr || create(&info, nullptr, &handle_) != kSuccess) handle_ = nullptr;
  }
  ~Instance() {
    if (handle_ == nullptr) return;
    if (const auto destroy = find<DestroyInstance>("vkDestroyInstance")) destroy(handle_, nullptr);
  }
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  bool is_open() const { return handle_ != nullptr; }
  Handle handle() const { return handle_; }
  template <typename F>
  F find(const char* name) const {
    return reinterpret_cast<F>(get_(handle_, name));
  }

 private:
  GetInstanceProcAddr get_;
  Handle handle_ = nullptr;
};

std::vector<ExtensionProperties> extensions_of(const Instance& instance, Handle device) {
  const auto enumerate = instance.find<EnumerateExtensions>("vkEnumerateDeviceExtensionProperties");
  uint32_t count = 0;
  if (enumerate == nullptr || enumerate(device, nullptr, &count, nullptr) != kSuccess) return {};
  std::vector<ExtensionProperties> found(count);
  const Result result = enumerate(device, nullptr, &count, found.data());
  if (result != kSuccess && result != kIncomplete) return {};
  found.resize(count);
  return found;
}

bool has(const std::vector<ExtensionProperties>& extensions, const char* name) {
  for (const ExtensionProperties& one : extensions) {
    if (std::strcmp(one.name, name) == 0) return true;
  }
  return false;
}

std::string text_of(const char* text, size_t room) {
  return std::string(text, strnlen(text, room));
}

std::string pci_text(const PciBusInfo& pci) {
  char text[32];
  std::snprintf(text, sizeof(text), "%04x:%02x:%02x.%x", pci.domain, pci.bus, pci.device,
                pci.function);
  return text;
}

void add_memory(const Instance& instance, Handle device, bool has_budget, GraphicsCard& card) {
  const auto get = instance.find<GetMemoryProperties2>("vkGetPhysicalDeviceMemoryProperties2");
  if (get == nullptr) return;
  MemoryProperties2 memory;
  MemoryBudget budget;
  if (has_budget) memory.next = &budget;
  get(device, &memory);
  for (uint32_t i = 0; i < memory.heap_count && i < kHeaps; i++) {
    if ((memory.heaps[i].flags & kDeviceLocal) == 0) continue;
    card.memory_bytes += memory.heaps[i].size;
    if (budget.budget[i] > budget.usage[i]) card.free_bytes += budget.budget[i] - budget.usage[i];
  }
  card.has_free = has_budget;
}

GraphicsCard describe(const Instance& instance, Handle device, GetProperties2 get) {
  const std::vector<ExtensionProperties> extensions = extensions_of(instance, device);
  Properties2 properties;
  get(device, &properties);
  const bool has_driver =
      properties.api_version >= kVersion12 || has(extensions, "VK_KHR_driver_properties");
  const bool has_pci = has(extensions, "VK_EXT_pci_bus_info");
  DriverProperties driver;
  PciBusInfo pci;
  Properties2 more;
  if (has_driver) more.next = &driver;
  if (has_pci) {
    pci.next = more.next;
    more.next = &pci;
  }
  if (more.next != nullptr) get(device, &more);
  GraphicsCard card;
  card.name = text_of(properties.name, sizeof(properties.name));
  card.type = properties.device_type;
  card.vendor = properties.vendor;
  card.device = properties.device;
  if (has_driver) {
    card.driver = text_of(driver.name, sizeof(driver.name));
    const std::string info = text_of(driver.info, sizeof(driver.info));
    if (!info.empty()) card.driver += " " + info;
  }
  if (has_pci) card.pci = pci_text(pci);
  add_memory(instance, device, has(extensions, "VK_EXT_memory_budget"), card);
  return card;
}

}  // namespace

std::vector<GraphicsCard> graphics_cards() {
  const Instance instance;
  if (!instance.is_open()) return {};
  const auto enumerate = instance.find<EnumerateDevices>("vkEnumeratePhysicalDevices");
  const auto get = instance.find<GetProperties2>("vkGetPhysicalDeviceProperties2");
  if (enumerate == nullptr || get == nullptr) return {};
  Handle devices[kMaxCards];
  uint32_t count = kMaxCards;
  const Result result = enumerate(instance.handle(), &count, devices);
  if (result != kSuccess && result != kIncomplete) return {};
  std::vector<GraphicsCard> cards;
  for (uint32_t i = 0; i < count; i++) cards.push_back(describe(instance, devices[i], get));
  return cards;
}

#endif

}  // namespace hearth
