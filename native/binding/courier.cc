// See courier.h. A threadsafe function is the only way from another thread into JavaScript.
#include "courier.h"

#include <memory>
#include <utility>

namespace hearth {

// Used on the JavaScript thread only, except `function`, which any thread may call.
struct CourierState {
  napi_threadsafe_function function = nullptr;
  uint32_t under_way = 0;
  bool closed = false;

  void release_when_idle() {
    if (!closed || under_way > 0 || function == nullptr) return;
    napi_release_threadsafe_function(std::exchange(function, nullptr), napi_tsfn_release);
  }
};

namespace {

const char* reason(Outcome outcome) {
  switch (outcome) {
    case Outcome::kOutOfMemory:
      return "not enough memory for this step";
    case Outcome::kStopped:
      return "the backend was closed before the work was done";
    default:
      return "the native code failed";
  }
}

napi_value make_undefined(napi_env env) {
  napi_value value = nullptr;
  napi_get_undefined(env, &value);
  return value;
}

void settle(napi_env env, const Delivery& delivery) {
  napi_value value = nullptr;
  Outcome outcome = delivery.outcome;
  if (outcome == Outcome::kCompleted) {
    try {
      value = delivery.result ? delivery.result(env) : make_undefined(env);
      napi_resolve_deferred(env, delivery.deferred, value);
      return;
    } catch (...) {
      // The environment is ending, or has no memory for the result.
      outcome = Outcome::kFailed;
    }
  }
  napi_value message = nullptr;
  napi_value error = nullptr;
  napi_create_string_utf8(env, reason(outcome), NAPI_AUTO_LENGTH, &message);
  napi_create_error(env, nullptr, message, &error);
  napi_reject_deferred(env, delivery.deferred, error);
}

// On the JavaScript thread; env is null when there is no JavaScript any more.
void arrive(napi_env env, napi_value, void*, void* data) {
  const std::unique_ptr<Delivery> delivery(static_cast<Delivery*>(data));
  CourierState& state = *delivery->courier;
  state.under_way--;
  if (env == nullptr) return;
  if (state.under_way == 0 && state.function != nullptr) {
    napi_unref_threadsafe_function(env, state.function);
  }
  settle(env, *delivery);
  state.release_when_idle();
}

}  // namespace

Courier::Courier(napi_env env) : state_(std::make_shared<CourierState>()) {
  const napi_value name = make_string(env, "hearth");
  auto* last = new std::shared_ptr<CourierState>(state_);
  // At the end of an environment Node calls the finalizer first and then delivers what is left in
  // the queue.
  const napi_finalize finalize = [](napi_env, void*, void* context) {
    const std::unique_ptr<std::shared_ptr<CourierState>> state(
        static_cast<std::shared_ptr<CourierState>*>(context));
    (*state)->function = nullptr;
  };
  const napi_status status = napi_create_threadsafe_function(
      env, nullptr, nullptr, name, 0, 1, nullptr, finalize, last, arrive, &state_->function);
  if (status != napi_ok) delete last;
  check(env, status, "a threadsafe function");
  check(env, napi_unref_threadsafe_function(env, state_->function), "a threadsafe function");
}

Courier::~Courier() {
  state_->closed = true;
  state_->release_when_idle();
}

Courier::Started Courier::start(napi_env env, std::shared_ptr<void> keeps) {
  auto delivery = std::make_unique<Delivery>();
  delivery->courier = state_;
  delivery->keeps = std::move(keeps);
  napi_value promise = nullptr;
  check(env, napi_create_promise(env, &delivery->deferred, &promise), "a promise");
  if (state_->under_way++ == 0) napi_ref_threadsafe_function(env, state_->function);
  return Started{promise, delivery.release()};
}

std::function<void(Outcome)> Courier::finisher(const Courier& courier, Delivery* delivery) {
  // The delivery keeps the courier's owner alive, so the function is open until it has arrived.
  return [function = courier.state_->function, delivery](Outcome outcome) {
    delivery->outcome = outcome;
    napi_call_threadsafe_function(function, delivery, napi_tsfn_nonblocking);
  };
}

}  // namespace hearth
