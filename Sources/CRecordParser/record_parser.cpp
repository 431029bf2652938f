#include "record_parser.h"

#include <cstring>
#include <deque>
#include <new>
#include <simdjson.h>
#include <string>
#include <string_view>
#include <vector>

namespace {
namespace ondemand = simdjson::ondemand;

// Deeper nesting than this is a fault or an attack; below what simdjson itself follows.
constexpr int maximum_depth = 512;

struct failure {
  sluice_json_status status;
};

[[noreturn]] void fail(simdjson::error_code error) {
  switch (error) {
  case simdjson::UTF8_ERROR: throw failure{SLUICE_JSON_NOT_UTF8};
  case simdjson::DEPTH_ERROR: throw failure{SLUICE_JSON_TOO_DEEP};
  case simdjson::MEMALLOC: throw failure{SLUICE_JSON_NO_MEMORY};
  default: throw failure{SLUICE_JSON_INVALID};
  }
}

template <typename T> T take(simdjson::simdjson_result<T> result) {
  if (result.error() != simdjson::SUCCESS) fail(result.error());
  return std::move(result).value_unsafe();
}

bool is_space(char byte) { return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r'; }

// A scalar's own text: simdjson's ends where the next token begins.
std::string_view trimmed(std::string_view token) {
  while (!token.empty() && is_space(token.back())) token.remove_suffix(1);
  return token;
}

bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

// By the grammar of RFC 8259: simdjson looks at a number only when it is asked for its value, which would round it.
bool is_number(std::string_view text) {
  const char *at = text.data(), *end = at + text.size();
  auto digits = [&] {
    const char *start = at;
    while (at < end && is_digit(*at)) at++;
    return at > start;
  };
  if (at < end && *at == '-') at++;
  if (at < end && *at == '0') at++;
  else if (!digits()) return false;
  if (at < end && *at == '.') {
    at++;
    if (!digits()) return false;
  }
  if (at < end && (*at == 'e' || *at == 'E')) {
    at++;
    if (at < end && (*at == '+' || *at == '-')) at++;
    if (!digits()) return false;
  }
  return at == end;
}

std::string_view without_nul(std::string_view text) {
  if (!text.empty() && std::memchr(text.data(), 0, text.size())) throw failure{SLUICE_JSON_NUL};
  return text;
}

const uint8_t *bytes(std::string_view text) { return reinterpret_cast<const uint8_t *>(text.data()); }

// The text between a name's quotes as it was written.
std::string_view written(const char *start) {
  const char *at = start;
  while (*at != '"') at += *at == '\\' ? 2 : 1;
  return {start, static_cast<size_t>(at - start)};
}
} // namespace

struct sluice_json_parser {
  ondemand::parser parser;
  std::vector<sluice_json_field> fields;
  // Texts of nested values. A deque: the others stay where they are when one is added.
  std::deque<std::string> nested;

  std::string_view scalar(ondemand::value &value, ondemand::json_type type) {
    std::string_view token = trimmed(value.raw_json_token());
    bool is_right = false;
    switch (type) {
    case ondemand::json_type::number: is_right = is_number(token); break;
    case ondemand::json_type::boolean: is_right = token == "true" || token == "false"; break;
    case ondemand::json_type::null: is_right = token == "null"; break;
    default: break;
    }
    if (!is_right) throw failure{SLUICE_JSON_INVALID};
    return token;
  }

  void write(ondemand::value value, std::string &out, int depth) {
    if (depth > maximum_depth) throw failure{SLUICE_JSON_TOO_DEEP};
    auto type = take(value.type());
    switch (type) {
    case ondemand::json_type::object: {
      out += '{';
      bool is_first = true;
      for (auto entry : take(value.get_object())) {
        auto field = take(std::move(entry));
        if (!is_first) out += ',';
        is_first = false;
        auto name = written(field.key().raw());
        without_nul(take(field.unescaped_key()));
        out += '"';
        out += name;
        out += "\":";
        write(field.value(), out, depth + 1);
      }
      out += '}';
      return;
    }
    case ondemand::json_type::array: {
      out += '[';
      bool is_first = true;
      for (auto entry : take(value.get_array())) {
        if (!is_first) out += ',';
        is_first = false;
        write(take(std::move(entry)), out, depth + 1);
      }
      out += ']';
      return;
    }
    case ondemand::json_type::string: {
      auto token = value.raw_json_token();
      out += '"';
      out += written(token.data() + 1);
      out += '"';
      (void)take(value.get_string());
      return;
    }
    default: out += scalar(value, type); (void)consume(value, type);
    }
  }

  // Moves behind a scalar whose text was checked.
  bool consume(ondemand::value &value, ondemand::json_type type) {
    switch (type) {
    case ondemand::json_type::boolean: (void)take(value.get_bool()); return true;
    case ondemand::json_type::null:
      if (!value.is_null()) throw failure{SLUICE_JSON_INVALID};
      return true;
    default: return false;
    }
  }

  // Tells JSON that is no object from what is no JSON.
  [[noreturn]] void refuse(ondemand::document &document, ondemand::json_type type, std::string_view text) {
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    switch (type) {
    case ondemand::json_type::array: {
      std::string ignored;
      for (auto entry : take(document.get_array())) write(take(std::move(entry)), ignored, 2);
      check_end(document);
      break;
    }
    case ondemand::json_type::string:
      (void)take(document.get_string());
      check_end(document);
      break;
    default:
      if (text != "null" && text != "true" && text != "false" && !is_number(text)) throw failure{SLUICE_JSON_INVALID};
    }
    throw failure{SLUICE_JSON_NOT_AN_OBJECT};
  }

  // Behind the last token there is no location.
  void check_end(ondemand::document &document) {
    if (document.current_location().error() != simdjson::OUT_OF_BOUNDS) throw failure{SLUICE_JSON_INVALID};
  }

  void parse(const char *record, size_t length) {
    fields.clear();
    nested.clear();
    auto document = take(parser.iterate(record, length, length + simdjson::SIMDJSON_PADDING));
    auto root = take(document.type());
    if (root != ondemand::json_type::object) refuse(document, root, trimmed({record, length}));
    for (auto entry : take(document.get_object())) {
      auto field = take(std::move(entry));
      auto name = without_nul(take(field.unescaped_key()));
      auto value = field.value();
      auto type = take(value.type());
      std::string_view text;
      uint8_t kind;
      switch (type) {
      case ondemand::json_type::string:
        text = take(value.get_string());
        kind = SLUICE_JSON_STRING;
        break;
      case ondemand::json_type::object:
      case ondemand::json_type::array:
        nested.emplace_back();
        write(value, nested.back(), 2);
        text = nested.back();
        kind = SLUICE_JSON_NESTED;
        break;
      default:
        text = scalar(value, type);
        (void)consume(value, type);
        kind = type == ondemand::json_type::null      ? SLUICE_JSON_NULL
               : type == ondemand::json_type::boolean ? SLUICE_JSON_BOOLEAN
                                                      : SLUICE_JSON_NUMBER;
      }
      fields.push_back({bytes(name), name.size(), bytes(text), text.size(), kind});
    }
    check_end(document);
  }
};

const size_t sluice_json_padding = simdjson::SIMDJSON_PADDING;

sluice_json_parser *sluice_json_parser_new(void) {
  try {
    return new sluice_json_parser();
  } catch (...) {
    return nullptr;
  }
}

void sluice_json_parser_free(sluice_json_parser *parser) { delete parser; }

enum sluice_json_status sluice_json_parse(
    sluice_json_parser *parser, const uint8_t *record, size_t length, const struct sluice_json_field **fields,
    size_t *count) {
  *fields = nullptr;
  *count = 0;
  try {
    parser->parse(reinterpret_cast<const char *>(record), length);
    *fields = parser->fields.data();
    *count = parser->fields.size();
    return SLUICE_JSON_OK;
  } catch (const failure &caught) {
    return caught.status;
  } catch (const std::bad_alloc &) {
    return SLUICE_JSON_NO_MEMORY;
  } catch (...) {
    return SLUICE_JSON_INVALID;
  }
}

bool sluice_is_utf8(const uint8_t *bytes, size_t length) {
  return simdjson::validate_utf8(reinterpret_cast<const char *>(bytes), length);
}

namespace {
constexpr uint64_t ones = 0x0101010101010101, tops = 0x8080808080808080;

uint64_t eight(const uint8_t *bytes) {
  uint64_t word;
  std::memcpy(&word, bytes, 8);
  return word;
}

// A top bit for the first zero byte of a word and none below it.
uint64_t zeros(uint64_t word) { return (word - ones) & ~word & tops; }
} // namespace

size_t sluice_find_any(const uint8_t *bytes, size_t length, uint8_t a, uint8_t b, uint8_t c, uint8_t d) {
  size_t at = 0;
  for (; at + 8 <= length; at += 8) {
    uint64_t word = eight(bytes + at);
    uint64_t found = zeros(word ^ ones * a) | zeros(word ^ ones * b) | zeros(word ^ ones * c) | zeros(word ^ ones * d);
    if (found) return at + static_cast<size_t>(__builtin_ctzll(found)) / 8;
  }
  for (; at < length; at++) {
    uint8_t byte = bytes[at];
    if (byte == a || byte == b || byte == c || byte == d) return at;
  }
  return length;
}

namespace {
// A top bit for each zero byte of a word and no other.
uint64_t all_zeros(uint64_t word) { return ~(((word & ~tops) + ~tops) | word | ~tops); }
} // namespace

size_t sluice_find_ends(
    const uint8_t *bytes, size_t length, uint8_t delimiter, uint8_t quote, size_t *ends, size_t room) {
  size_t count = 0;
  // Whether the field behind this end is for the caller.
  auto take = [&](size_t end) {
    ends[count++] = end;
    if (count == room || bytes[end] == '\n' || bytes[end] == '\r') return true;
    return end + 1 < length && bytes[end + 1] == quote;
  };
  size_t at = 0;
  for (; at + 8 <= length; at += 8) {
    uint64_t word = eight(bytes + at);
    uint64_t found =
        all_zeros(word ^ ones * delimiter) | all_zeros(word ^ ones * '\n') | all_zeros(word ^ ones * '\r');
    for (; found; found &= found - 1)
      if (take(at + static_cast<size_t>(__builtin_ctzll(found)) / 8)) return count;
  }
  for (; at < length; at++)
    if ((bytes[at] == delimiter || bytes[at] == '\n' || bytes[at] == '\r') && take(at)) return count;
  return count;
}
