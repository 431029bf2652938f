#include "record_parser.h"

#include <algorithm>
#include <cstring>

namespace {
bool is_before(const sluice_place &a, const sluice_place &b) {
  return a.object != b.object ? a.object < b.object : a.position < b.position;
}

// A number of a row's beginning and the byte behind it; false where there is none.
bool take_number(const uint8_t *&at, const uint8_t *end, uint8_t behind, int64_t &number) {
  bool is_negative = at < end && *at == '-';
  if (is_negative) at++;
  const uint8_t *start = at;
  uint64_t value = 0;
  while (at < end && *at >= '0' && *at <= '9') value = value * 10 + static_cast<uint64_t>(*at++ - '0');
  if (at == start || at == end || *at != behind) return false;
  at++;
  number = static_cast<int64_t>(is_negative ? 0 - value : value);
  return true;
}
} // namespace

size_t sluice_take_rows(
    const uint8_t *rows, size_t length, uint8_t delimiter, int64_t before, const struct sluice_place *places,
    size_t count, uint8_t *taken, size_t *taken_count) {
  const uint8_t *at = rows, *end = rows + length;
  const sluice_place *next = places, *last = places + count;
  int64_t object = 0;
  bool is_first = true;
  size_t used = 0;
  *taken_count = 0;
  while (at < end) {
    const uint8_t *row = at;
    auto feed = static_cast<const uint8_t *>(std::memchr(at, '\n', static_cast<size_t>(end - at)));
    if (!feed) break;
    at = feed + 1;
    sluice_place place;
    const uint8_t *field = row;
    if (!take_number(field, feed, delimiter, place.object)) continue;
    // A row may end behind its place.
    const uint8_t *second = field;
    if (!take_number(field, feed, delimiter, place.position) && !take_number(field = second, at, '\n', place.position))
      continue;
    place.position += before;
    // Within an object, places only grow.
    if (is_first || place.object != object) {
      next = std::lower_bound(places, last, place, is_before);
      object = place.object;
      is_first = false;
    }
    while (next < last && is_before(*next, place)) next++;
    if (next == last || is_before(place, *next)) continue;
    size_t size = static_cast<size_t>(at - row);
    std::memcpy(taken + used, row, size);
    used += size;
    ++*taken_count;
    next++;
  }
  return used;
}
