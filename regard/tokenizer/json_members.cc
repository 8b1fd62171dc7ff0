// SPDX-License-Identifier: Apache-2.0
#include "regard/tokenizer/json_members.h"

#include <fmt/format.h>

#include <algorithm>

#include "regard/platform/error.h"
#include "regard/tokenizer/vocabulary.h"

namespace regard {

std::optional<Json> present(const Json& object, std::string_view key) {
  const std::optional<Json> found = object.find(key);
  if (!found || found->is_null()) return std::nullopt;
  return found;
}

bool flag(const Json& object, std::string_view key, bool otherwise) {
  const std::optional<Json> found = present(object, key);
  return found ? found->boolean() : otherwise;
}

std::string text(const Json& object, std::string_view key, std::string_view otherwise) {
  const std::optional<Json> found = present(object, key);
  return std::string(found ? found->string() : otherwise);
}

std::int64_t id_of(const Json& value) {
  const std::int64_t id = value.integer();
  if (id < 0 || id > Vocabulary::kHighestId) throw value.wrong("an id from 0 to 4194303");
  return id;
}

void demand_known(const Json& object, std::initializer_list<std::string_view> keys) {
  object.for_each_member([&](std::string_view key, const Json& value) {
    if (std::find(keys.begin(), keys.end(), key) != keys.end()) return;
    if (value.is_null() || (value.type() == Json::Type::kBoolean && !value.boolean())) return;
    if (value.is_string() && value.string().empty()) return;
    if ((value.is_object() || value.is_array()) && value.size() == 0) return;
    throw value.wrong(fmt::format("no such key; known are {}", one_of(keys)));
  });
}

std::string one_of(std::initializer_list<std::string_view> names) {
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string token_name(const Json& object, std::string_view key, std::string_view otherwise) {
  const std::optional<Json> found = present(object, key);
  if (!found) return std::string(otherwise);
  return std::string(found->is_object() ? found->at("content").string() : found->string());
}

}  // namespace regard
