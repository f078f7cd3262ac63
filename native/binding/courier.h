// Brings the end of work on pool threads back to the JavaScript thread, where it settles a promise.
#pragma once

#include <functional>
#include <memory>

#include "../system/thread-pool.h"
#include "convert.h"

namespace hearth {

struct CourierState;

// One promise on its way. Made and destroyed on the JavaScript thread.
struct Delivery {
  napi_deferred deferred = nullptr;
  Outcome outcome = Outcome::kStopped;
  // The promise's value; undefined without it.
  std::function<napi_value(napi_env)> result;
  std::shared_ptr<CourierState> courier;
  // What must live until then: handles, pinned arrays.
  std::shared_ptr<void> keeps;
};

// Keeps the process alive while deliveries are under way, and only then.
class Courier {
 public:
  explicit Courier(napi_env env);
  // On the JavaScript thread. Deliveries under way still arrive.
  ~Courier();
  Courier(const Courier&) = delete;
  Courier& operator=(const Courier&) = delete;

  // A promise, and the delivery that will settle it.
  struct Started {
    napi_value promise;
    Delivery* delivery;
  };
  Started start(napi_env env, std::shared_ptr<void> keeps);
  // From any thread, once per delivery.
  static std::function<void(Outcome)> finisher(const Courier& courier, Delivery* delivery);

 private:
  std::shared_ptr<CourierState> state_;
};

}  // namespace hearth
