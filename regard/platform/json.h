// SPDX-License-Identifier: Apache-2.0
// JSON read strictly (RFC 8259, UTF-8, at most 64 levels deep) with errors that name the file and
// the key. Parsing is simdjson's; this adds where we are.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace regard {

class JsonDocument;

// A value inside a JsonDocument, which must outlive it. Cheap to copy.
// Thread safety: read-only; any number of threads.
class Json {
 public:
  enum class Type { kNull, kBoolean, kInteger, kNumber, kString, kArray, kObject };
  Type type() const;
  bool is_null() const { return type() == Type::kNull; }
  bool is_string() const { return type() == Type::kString; }
  bool is_object() const { return type() == Type::kObject; }
  bool is_array() const { return type() == Type::kArray; }

  // The member, or nothing when it is absent; of members with the same key the last, as in Python.
  // Throws Error when this is not an object.
  std::optional<Json> find(std::string_view key) const;
  // The same, but a member that is absent is an Error naming the key.
  Json at(std::string_view key) const;

  // Each throws Error "file: key: expected ..., found ..." when the type is another.
  bool boolean() const;
  std::int64_t integer() const;
  double number() const;  // integers too
  std::string_view string() const;

  // Numbers of elements of an array, members of an object.
  std::size_t size() const;
  // Visits in the order of the file, without an allocation per element.
  void for_each_element(const std::function<void(std::size_t index, Json value)>& visit) const;
  void for_each_member(const std::function<void(std::string_view key, Json value)>& visit) const;

  // An Error at this value: "file: key: expected ..., found <this value, shortened>".
  class Error wrong(std::string_view expected) const;

 private:
  friend class JsonDocument;
  const JsonDocument* document_ = nullptr;
  std::uint64_t position_ = 0;
};

// Owns the parsed text.
// Thread safety: read-only once parsed; any number of threads.
class JsonDocument {
 public:
  // `file` is the name used in errors. A key that an object has twice is an Error unless
  // `unique_keys` is false: looking takes 0.1 us a key, which large vocabularies need not spend.
  static JsonDocument parse(std::string_view text, std::string file, bool unique_keys = true);
  JsonDocument(JsonDocument&&) noexcept;
  JsonDocument& operator=(JsonDocument&&) noexcept;
  ~JsonDocument();

  Json root() const;
  const std::string& file() const;

 private:
  friend class Json;
  JsonDocument();
  struct State;
  std::unique_ptr<State> state_;
};

// `text` as a JSON string with its quotes. Invalid UTF-8 becomes U+FFFD.
std::string json_quoted(std::string_view text);

}  // namespace regard
