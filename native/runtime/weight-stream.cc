// See weight-stream.h.
#include "weight-stream.h"

#include <utility>

namespace hearth {

namespace {

std::vector<StreamPiece> pieces_of(const std::vector<WeightRead>& reads,
                                   const std::vector<size_t>& stages, size_t dropped,
                                   std::vector<std::vector<size_t>>& first_piece) {
  for (const size_t count : stages) first_piece.emplace_back(count, SIZE_MAX);
  std::vector<FileRead> files;
  for (const WeightRead& read : reads) files.push_back(read.of);
  std::vector<size_t> first;
  std::vector<StreamPiece> pieces = stream_pieces(files, dropped, first);
  for (size_t i = 0; i < reads.size(); i++) {
    size_t& of_stage = first_piece[reads[i].segment][reads[i].stage];
    if (of_stage == SIZE_MAX) of_stage = first[i];
  }
  return pieces;
}

}  // namespace

WeightStream::WeightStream(const std::vector<WeightRead>& reads, const std::vector<size_t>& stages,
                           size_t dropped, size_t window)
    : pages_(pieces_of(reads, stages, dropped, first_piece_), window) {}

}  // namespace hearth
