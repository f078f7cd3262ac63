// The mask of small inputs (TEAL, WINA). See row-stages.h.
#include <cmath>

#include "independent.h"
#include "row-stages.h"

namespace hearth {

namespace {

// out may be x: ivdep says that no element depends on another, so that the loops are vectorised.
void mask_row(const float* x, const MaskOp& op, float* out) {
  const float value = op.value;
  const float* norms = op.norms;
  const size_t width = op.x.width;
  if (norms == nullptr) {
    HEARTH_INDEPENDENT_STEPS
    for (size_t i = 0; i < width; i++) out[i] = std::fabs(x[i]) < value ? 0 : x[i];
    return;
  }
  HEARTH_INDEPENDENT_STEPS
  for (size_t i = 0; i < width; i++) out[i] = std::fabs(x[i]) * norms[i] < value ? 0 : x[i];
}

class MaskStage final : public RowStage {
 public:
  explicit MaskStage(MaskOp op) : RowStage(op.x, op.x.width), op_(op) {}

 protected:
  void run_rows(const Step&, uint32_t begin, uint32_t end) override {
    for (uint32_t row = begin; row < end; row++) mask_row(op_.x.row(row), op_, op_.out.row(row));
  }

 private:
  MaskOp op_;
};

}  // namespace

std::unique_ptr<Stage> make_mask(MaskOp op) { return std::make_unique<MaskStage>(op); }

}  // namespace hearth
