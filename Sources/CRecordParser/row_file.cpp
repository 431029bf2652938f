#include "record_parser.h"

#include <cstring>

size_t sluice_skip_texts(const uint8_t *page, size_t place, const uint8_t *present, size_t from, size_t to) {
  for (size_t row = from; row < to; row++) {
    if (present && !(present[row / 8] >> (row % 8) & 1)) continue;
    uint32_t length;
    std::memcpy(&length, page + place, 4);
    place += 4 + static_cast<size_t>(length);
  }
  return place;
}
