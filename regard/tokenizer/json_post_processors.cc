// SPDX-License-Identifier: Apache-2.0
// The post_processor of tokenizer.json.
#include <fmt/format.h>

#include <limits>

#include "regard/platform/error.h"
#include "regard/tokenizer/json_members.h"
#include "regard/tokenizer/tokenizer_state.h"

namespace regard {
namespace {

std::int64_t type_of(const Json& item) {
  const std::optional<Json> found = item.find("type_id");
  if (!found) return 0;
  const std::int64_t type = found->integer();
  if (type < 0 || type > std::numeric_limits<std::int32_t>::max()) {
    throw found->wrong("a type id from 0 to 2147483647");
  }
  return type;
}

std::vector<TemplateItem> read_template(const Json& items, const Json& special, bool pair) {
  constexpr std::size_t kMostTokens = 65'536;
  std::vector<TemplateItem> out;
  std::size_t tokens = 0;
  bool seen[2] = {false, false};
  items.for_each_element([&](std::size_t, const Json& element) {
    TemplateItem item;
    if (const auto sequence = element.find("Sequence")) {
      const Json name = sequence->at("id");
      if (name.string() != "A" && !(pair && name.string() == "B")) {
        throw name.wrong(pair ? "\"A\" or \"B\"" : "\"A\"");
      }
      item.sequence = name.string() == "A" ? 0 : 1;
      if (seen[item.sequence]) throw name.wrong("each text once");
      seen[item.sequence] = true;
      item.type = type_of(*sequence);
    } else if (const auto token = element.find("SpecialToken")) {
      item.type = type_of(*token);
      const Json entry = special.at(token->at("id").string());
      const Json ids = entry.at("ids");
      const Json texts = entry.at("tokens");
      tokens += ids.size();
      if (tokens > kMostTokens) {
        throw items.wrong(fmt::format("at most {} special tokens", kMostTokens));
      }
      ids.for_each_element(
          [&](std::size_t, const Json& id) { item.tokens.push_back({id_of(id), {}}); });
      if (texts.size() != ids.size()) throw texts.wrong("as many as there are ids");
      texts.for_each_element(
          [&](std::size_t i, const Json& name) { item.tokens[i].text = name.string(); });
    } else {
      throw element.wrong("Sequence or SpecialToken");
    }
    out.push_back(std::move(item));
  });
  if (!seen[0] || (pair && !seen[1])) {
    throw items.wrong(pair ? "a template with the sequences A and B"
                           : "a template with sequence A");
  }
  return out;
}

// ["[SEP]", 102]
TemplateToken read_named_token(const Json& named) {
  TemplateToken out;
  if (named.size() != 2) throw named.wrong("a token and its id");
  named.for_each_element([&](std::size_t i, const Json& value) {
    if (i == 0) {
      out.text = value.string();
    } else {
      out.id = id_of(value);
    }
  });
  return out;
}

}  // namespace

void read_post_processor(const Json& processor, PostProcessor& out) {
  const Json type = processor.at("type");
  const std::string_view name = type.string();
  if (name == "BertProcessing" || name == "RobertaProcessing" || name == "TemplateProcessing") {
    // The library gives a second one the parts that the first has made in place of the texts.
    for (const auto& step : out.steps) {
      if (std::holds_alternative<TemplateStep>(step)) {
        throw type.wrong("one processor that adds special tokens");
      }
    }
  }
  if (name == "Sequence") {
    demand_known(processor, {"type", "processors"});
    processor.at("processors").for_each_element([&](std::size_t, const Json& element) {
      read_post_processor(element, out);
    });
  } else if (name == "BertProcessing") {
    demand_known(processor, {"type", "sep", "cls"});
    out.steps.emplace_back(TemplateStep::bert(read_named_token(processor.at("cls")),
                                              read_named_token(processor.at("sep"))));
  } else if (name == "RobertaProcessing") {
    demand_known(processor, {"type", "sep", "cls", "trim_offsets", "add_prefix_space"});
    if (flag(processor, "trim_offsets", true)) {
      out.steps.emplace_back(TrimStep{flag(processor, "add_prefix_space", true)});
    }
    out.steps.emplace_back(TemplateStep::roberta(read_named_token(processor.at("cls")),
                                                 read_named_token(processor.at("sep"))));
  } else if (name == "ByteLevel") {
    demand_known(processor, {"type", "add_prefix_space", "trim_offsets", "use_regex"});
    if (flag(processor, "trim_offsets", true)) {
      out.steps.emplace_back(TrimStep{flag(processor, "add_prefix_space", true)});
    }
  } else if (name == "TemplateProcessing") {
    demand_known(processor, {"type", "single", "pair", "special_tokens"});
    const Json special = processor.at("special_tokens");
    TemplateStep step;
    step.single = read_template(processor.at("single"), special, false);
    step.pair = read_template(processor.at("pair"), special, true);
    out.steps.emplace_back(std::move(step));
  } else {
    throw type.wrong(one_of(
        {"TemplateProcessing", "BertProcessing", "RobertaProcessing", "ByteLevel", "Sequence"}));
  }
}

}  // namespace regard
