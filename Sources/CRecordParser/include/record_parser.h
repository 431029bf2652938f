#ifndef SLUICE_RECORD_PARSER_H
#define SLUICE_RECORD_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// JSON records by simdjson, checked to the last byte and taken apart without changing a value. C, so that Swift can call it.

enum sluice_json_kind {
  SLUICE_JSON_NULL = 0,
  // Decoded.
  SLUICE_JSON_STRING = 1,
  // As it was written.
  SLUICE_JSON_NUMBER = 2,
  SLUICE_JSON_BOOLEAN = 3,
  // An object or a list as JSON without white space, everything else in it as it was written.
  SLUICE_JSON_NESTED = 4,
};

// Bytes are UTF-8, names without NUL. They are the parser's until its next call, or the record's own.
struct sluice_json_field {
  const uint8_t *name;
  size_t name_length;
  const uint8_t *text;
  size_t length;
  uint8_t kind;
};

enum sluice_json_status {
  SLUICE_JSON_OK = 0,
  SLUICE_JSON_INVALID = 1,
  SLUICE_JSON_NOT_AN_OBJECT = 2,
  SLUICE_JSON_TOO_DEEP = 3,
  // U+0000 in a name: no engine takes such a name.
  SLUICE_JSON_NUL = 4,
  SLUICE_JSON_NOT_UTF8 = 5,
  SLUICE_JSON_NO_MEMORY = 6,
};

// Bytes behind a record that must be readable, whatever is in them.
extern const size_t sluice_json_padding;

typedef struct sluice_json_parser sluice_json_parser;

// NULL where there is no memory.
sluice_json_parser *sluice_json_parser_new(void);
void sluice_json_parser_free(sluice_json_parser *parser);

// Takes one record apart: its fields in the order of its text, names that come twice twice.
//
// `record` has `length` bytes and at least `sluice_json_padding` readable ones behind them.
enum sluice_json_status sluice_json_parse(
    sluice_json_parser *parser, const uint8_t *record, size_t length, const struct sluice_json_field **fields,
    size_t *count);

bool sluice_is_utf8(const uint8_t *bytes, size_t length);

// The first place of one of four bytes; `length` where there is none.
size_t sluice_find_any(const uint8_t *bytes, size_t length, uint8_t a, uint8_t b, uint8_t c, uint8_t d);

// Finds the ends of CSV fields without quotes, from the begin of `bytes`: the places of their delimiters and of the line end that ends the row.
//
// It stops behind a line end, before a field that begins with `quote`, and where it has `room` ends or the bytes end.
size_t sluice_find_ends(
    const uint8_t *bytes, size_t length, uint8_t delimiter, uint8_t quote, size_t *ends, size_t room);

// Moves from one row's text to another's: where the text of row `to` begins, or would, when that of `from` begins at `place`.
//
// Each text follows its length in four bytes, the lowest first. `present` has a bit for each row, of the lowest first, that says
// whether it has a text; NULL where all have.
size_t sluice_skip_texts(const uint8_t *page, size_t place, const uint8_t *present, size_t from, size_t to);

#ifdef __cplusplus
}
#endif
#endif
