// SPDX-License-Identifier: Apache-2.0
// Members of the JSON objects that tokenizer files are made of.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "regard/platform/json.h"

namespace regard {

// The member, or nothing when it is absent or null.
std::optional<Json> present(const Json& object, std::string_view key);
bool flag(const Json& object, std::string_view key, bool otherwise);
std::string text(const Json& object, std::string_view key, std::string_view otherwise);
// 0 <= id <= Vocabulary::kHighestId.
std::int64_t id_of(const Json& value);
// Throws Error for a member that says something (not null, false or empty) under another key.
void demand_known(const Json& object, std::initializer_list<std::string_view> keys);
// "type" for an Error that lists what is supported.
std::string one_of(std::initializer_list<std::string_view> names);
// The class that reads the tokenizer of a model folder without tokenizer.json, as transformers
// finds it: tokenizer_class of tokenizer_config.json (`options`), that of config.json, the
// model_type's; without "Fast". Empty without a config.json; Error for a model_type without a known
// class.
std::string tokenizer_class_of(const std::string& folder, const Json& options);
// A token's name: "[CLS]" or {"content": "[CLS]", ...}; null and absent give `otherwise`.
std::string token_name(const Json& object, std::string_view key, std::string_view otherwise);

}  // namespace regard
