// graphicsCards: what Vulkan's loader says of the cards of this machine.
#include "../system/graphics-cards.h"

#include "handles.h"

namespace hearth {

namespace {

napi_value card_of(napi_env env, const GraphicsCard& card) {
  napi_value object = nullptr;
  check(env, napi_create_object(env, &object), "an object");
  set_property(env, object, "name", make_string(env, card.name));
  set_property(env, object, "type", make_number(env, card.type));
  set_property(env, object, "vendor", make_number(env, card.vendor));
  set_property(env, object, "device", make_number(env, card.device));
  set_property(env, object, "driver", make_string(env, card.driver));
  set_property(env, object, "pci", make_string(env, card.pci));
  set_property(env, object, "memoryBytes",
               make_number(env, static_cast<double>(card.memory_bytes)));
  if (card.has_free) {
    set_property(env, object, "freeBytes", make_number(env, static_cast<double>(card.free_bytes)));
  }
  return object;
}

}  // namespace

// graphicsCards() → [{name, type, vendor, device, driver, pci, memoryBytes, freeBytes?}]
napi_value list_graphics_cards(napi_env env, napi_callback_info) {
  const std::vector<GraphicsCard> cards = graphics_cards();
  napi_value list = nullptr;
  check(env, napi_create_array_with_length(env, cards.size(), &list), "an array");
  for (size_t i = 0; i < cards.size(); i++) {
    check(env, napi_set_element(env, list, static_cast<uint32_t>(i), card_of(env, cards[i])),
          "an element");
  }
  return list;
}

}  // namespace hearth
