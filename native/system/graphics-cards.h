// The graphics cards that Vulkan's loader finds, with the facts that WebGPU does not pass on: whether
// a card has memory of its own, how much of it is free, and where it is plugged in. No Vulkan header
// and no library at build time: a machine without a loader has no such cards.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hearth {

struct GraphicsCard {
  // The driver's name of the card, as Dawn reports it too.
  std::string name;
  // VkPhysicalDeviceType: 1 integrated, 2 discrete, 3 virtual, 4 a processor, 0 something else.
  uint32_t type = 0;
  uint32_t vendor = 0;  // PCI ids
  uint32_t device = 0;
  std::string driver;         // "NVIDIA 550.54.14"; empty where the driver does not say
  std::string pci;            // "0000:01:00.0"; empty where the driver does not say
  uint64_t memory_bytes = 0;  // of all heaps on the card
  // What this process could still have of them, by VK_EXT_memory_budget.
  bool has_free = false;
  uint64_t free_bytes = 0;
};

// Empty where there is no loader, no driver or no Vulkan 1.1.
std::vector<GraphicsCard> graphics_cards();

}  // namespace hearth
