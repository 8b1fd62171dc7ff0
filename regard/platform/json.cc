// SPDX-License-Identifier: Apache-2.0
// JSON values as places on simdjson's tape (its doc/tape.md). nlohmann's parser only tells the
// byte at which a broken text breaks, which simdjson does not.
#include "regard/platform/json.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <nlohmann/json.hpp>
#include <unordered_set>
#include <utility>

#include "regard/platform/error.h"
#include "regard/platform/utf8.h"

namespace regard {
namespace {

using simdjson::internal::tape_ref;
using simdjson::internal::tape_type;

constexpr std::size_t kDepth = 64;
constexpr std::size_t kLongest = 0xffffffff;

// Remembers where the first syntax error is, and nothing else.
class SyntaxErrorFinder : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::size_t position = 0;
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return true; }
  bool key(string_t&) override { return true; }
  bool end_object() override { return true; }
  bool start_array(std::size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(std::size_t at, const std::string&,
                   const nlohmann::detail::exception&) override {
    position = at;
    return false;
  }
};

// The text with ".0" after every integer of 19 digits or more, outside strings. simdjson refuses
// integers beyond 64 bits, which the configurations of tokenizers hold.
std::string with_wide_integers_as_floats(std::string_view text) {
  constexpr std::size_t kDigits = 19;
  std::string out;
  out.reserve(text.size() + 16);
  bool quoted = false;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (quoted && c == '\\' && at + 1 < text.size()) {
      out.append(text.substr(at, 2));
      at += 2;
      continue;
    }
    if (c == '"') quoted = !quoted;
    if (quoted || (c != '-' && (c < '0' || c > '9'))) {
      out += c;
      ++at;
      continue;
    }
    const std::size_t digits = c == '-' ? at + 1 : at;
    const std::size_t end = std::min(text.find_first_not_of("0123456789", digits), text.size());
    const std::size_t number_end =
        std::min(text.find_first_not_of("0123456789.eE+-", digits), text.size());
    out.append(text.substr(at, number_end - at));
    if (end == number_end && end - digits >= kDigits) out += ".0";
    at = number_end;
  }
  return out;
}

bool is_container(tape_type type) {
  return type == tape_type::START_OBJECT || type == tape_type::START_ARRAY;
}

// Calls visit(key, place of the value) for each member (key empty for elements) until it returns
// false.
template <typename Visit>
void for_each_child(const tape_ref& parent, Visit visit) {
  const bool object = parent.tape_ref_type() == tape_type::START_OBJECT;
  const std::size_t end = parent.after_element() - 1;
  for (std::size_t at = parent.json_index + 1; at < end;) {
    std::string_view key;
    if (object) key = tape_ref(parent.doc, at++).get_string_view();
    const tape_ref value(parent.doc, at);
    if (!visit(key, at)) return;
    at = value.after_element();
  }
}

// "a.b[3].c" of the value at `position`; "" of the root.
std::string path_of(const simdjson::dom::document* document, std::size_t position) {
  std::string path;
  std::size_t parent = 1;
  while (parent != position) {
    const tape_ref here(document, parent);
    const bool object = here.tape_ref_type() == tape_type::START_OBJECT;
    std::size_t index = 0, next = position;
    for_each_child(here, [&](std::string_view key, std::size_t at) {
      if (position >= tape_ref(document, at).after_element()) {
        ++index;
        return true;
      }
      if (object)
        path += fmt::format("{}{}", path.empty() ? "" : ".", key);
      else
        path += fmt::format("[{}]", index);
      next = at;
      return false;
    });
    parent = next;
  }
  return path;
}

void check_unique(const simdjson::dom::document* document, std::size_t position,
                  const std::string& file) {
  const tape_ref here(document, position);
  if (!is_container(here.tape_ref_type())) return;
  const bool object = here.tape_ref_type() == tape_type::START_OBJECT;
  std::unordered_set<std::string_view> seen;
  for_each_child(here, [&](std::string_view key, std::size_t at) {
    if (object && !seen.insert(key).second)
      throw Error::at(file, path_of(document, at), "each key once", "the key again");
    check_unique(document, at, file);
    return true;
  });
}

}  // namespace

struct JsonDocument::State {
  std::string file;
  simdjson::dom::parser parser;

  tape_ref tape(std::uint64_t position) const { return {&parser.doc, position}; }
};

JsonDocument::JsonDocument() : state_(std::make_unique<State>()) {}
JsonDocument::JsonDocument(JsonDocument&&) noexcept = default;
JsonDocument& JsonDocument::operator=(JsonDocument&&) noexcept = default;
JsonDocument::~JsonDocument() = default;

JsonDocument JsonDocument::parse(std::string_view text, std::string file, bool unique_keys) {
  if (text.size() > kLongest)
    throw Error::at(file, "size", "at most 4 GiB of JSON", fmt::format("{} bytes", text.size()));
  if (text.data() == nullptr) text = "";  // simdjson copies from it, even nothing
  JsonDocument document;
  State& state = *document.state_;
  state.file = std::move(file);
  // simdjson counts the document itself as a level, and no empty array or object.
  simdjson::error_code code = state.parser.allocate(text.size() + 1, kDepth + 1);
  if (code == simdjson::SUCCESS) code = state.parser.parse(text.data(), text.size()).error();
  if (code == simdjson::NUMBER_ERROR) {
    const std::string mended = with_wide_integers_as_floats(text);
    code = state.parser.parse(mended.data(), mended.size()).error();
  }
  if (code == simdjson::DEPTH_ERROR)
    throw Error::at(state.file, "", fmt::format("JSON of at most {} levels", kDepth),
                    "deeper nesting");
  if (code != simdjson::SUCCESS) {
    SyntaxErrorFinder finder;
    nlohmann::json::sax_parse(text.begin(), text.end(), &finder);
    throw Error::at(state.file,
                    finder.position == 0 ? "" : fmt::format("byte {}", finder.position - 1), "JSON",
                    text.empty() ? "an empty text" : simdjson::error_message(code));
  }
  if (unique_keys) check_unique(&state.parser.doc, 1, state.file);
  return document;
}

Json JsonDocument::root() const {
  Json json;
  json.document_ = this;
  json.position_ = 1;
  return json;
}

const std::string& JsonDocument::file() const { return state_->file; }

Json::Type Json::type() const {
  switch (document_->state_->tape(position_).tape_ref_type()) {
    case tape_type::START_OBJECT:
      return Type::kObject;
    case tape_type::START_ARRAY:
      return Type::kArray;
    case tape_type::STRING:
      return Type::kString;
    case tape_type::INT64:
      return Type::kInteger;
    case tape_type::UINT64:  // only those beyond int64
    case tape_type::DOUBLE:
      return Type::kNumber;
    case tape_type::TRUE_VALUE:
    case tape_type::FALSE_VALUE:
      return Type::kBoolean;
    default:
      return Type::kNull;
  }
}

std::optional<Json> Json::find(std::string_view key) const {
  if (!is_object()) throw wrong("an object");
  std::optional<Json> found;
  for_each_child(document_->state_->tape(position_), [&](std::string_view name, std::size_t at) {
    if (name != key) return true;
    found = *this;
    found->position_ = at;
    return true;
  });
  return found;
}

Json Json::at(std::string_view key) const {
  if (std::optional<Json> found = find(key)) return *found;
  std::string path = path_of(&document_->state_->parser.doc, position_);
  path += fmt::format("{}{}", path.empty() ? "" : ".", key);
  throw Error::at(document_->file(), path, "this key", "none");
}

bool Json::boolean() const {
  if (type() != Type::kBoolean) throw wrong("true or false");
  return document_->state_->tape(position_).is_true();
}

std::int64_t Json::integer() const {
  if (type() != Type::kInteger) throw wrong("an integer");
  return document_->state_->tape(position_).next_tape_value<std::int64_t>();
}

double Json::number() const {
  const tape_ref tape = document_->state_->tape(position_);
  if (tape.is_int64()) return static_cast<double>(tape.next_tape_value<std::int64_t>());
  if (tape.is_uint64()) return static_cast<double>(tape.next_tape_value<std::uint64_t>());
  if (!tape.is_double()) throw wrong("a number");
  return tape.next_tape_value<double>();
}

std::string_view Json::string() const {
  if (!is_string()) throw wrong("a string");
  return document_->state_->tape(position_).get_string_view();
}

std::size_t Json::size() const {
  if (!is_array() && !is_object()) throw wrong("an array or an object");
  constexpr std::size_t kSaturated = 0xffffff;
  const tape_ref tape = document_->state_->tape(position_);
  std::size_t count = tape.scope_count();
  if (count < kSaturated) return count;
  count = 0;
  for_each_child(tape, [&](std::string_view, std::size_t) { return ++count, true; });
  return count;
}

void Json::for_each_element(const std::function<void(std::size_t, Json)>& visit) const {
  if (!is_array()) throw wrong("an array");
  std::size_t index = 0;
  Json value = *this;
  for_each_child(document_->state_->tape(position_), [&](std::string_view, std::size_t at) {
    value.position_ = at;
    visit(index++, value);
    return true;
  });
}

void Json::for_each_member(const std::function<void(std::string_view, Json)>& visit) const {
  if (!is_object()) throw wrong("an object");
  Json value = *this;
  for_each_child(document_->state_->tape(position_), [&](std::string_view key, std::size_t at) {
    value.position_ = at;
    visit(key, value);
    return true;
  });
}

Error Json::wrong(std::string_view expected) const {
  std::string found;
  switch (type()) {
    case Type::kNull:
      found = "null";
      break;
    case Type::kBoolean:
      found = boolean() ? "true" : "false";
      break;
    case Type::kInteger:
      found = fmt::format("{}", integer());
      break;
    case Type::kNumber:
      found = fmt::format("{}", number());
      break;
    case Type::kString:
      found = json_quoted(string().substr(0, 200));
      break;
    case Type::kArray:
      found = fmt::format("an array of {}", size());
      break;
    case Type::kObject:
      found = fmt::format("an object of {}", size());
      break;
  }
  return Error::at(document_->file(), path_of(&document_->state_->parser.doc, position_), expected,
                   found);
}

std::string json_quoted(std::string_view text) {
  std::string out = "\"";
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text, at);
    at += point.size;
    const char32_t value = point.value;
    if (value == '"' || value == '\\') {
      out += '\\';
      out += static_cast<char>(value);
    } else if (value == '\n') {
      out += "\\n";
    } else if (value < 0x20 || (value >= 0x7f && value < 0xa0) || value == 0x2028 ||
               value == 0x2029) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(value));
    } else {
      append_utf8(out, value);
    }
  }
  return out + "\"";
}

}  // namespace regard
