// SPDX-License-Identifier: Apache-2.0
// Opening models, reading texts, running, and making traces of other people's matrices.
#include "regard/session/prepared.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "regard/model/half_observer.h"
#include "regard/model/observer.h"
#include "regard/platform/cpu.h"
#include "regard/platform/error.h"
#include "regard/platform/mapped_file.h"
#include "regard/platform/utf8.h"
#include "regard/render/data.h"
#include "regard/session/builtin_model.h"
#include "regard/session/model_notes.h"
#include "regard/session/model_title.h"
#include "regard/tokenizer/gguf_vocabulary.h"

namespace regard {
namespace {

std::string mended(std::string_view text, const char* what, std::vector<std::string>* notes) {
  std::size_t replaced = 0;
  std::string good = mend_utf8(text, &replaced);
  if (replaced > 0)
    notes->push_back(fmt::format("{}: {} invalid UTF-8 sequence{} replaced by U+FFFD", what,
                                 replaced, replaced == 1 ? "" : "s"));
  return good;
}

// Cuts the longer text's last token until `limit` tokens are left; tokens of the template stay.
void truncate(std::vector<Token>* tokens, std::int64_t limit) {
  std::array<std::int64_t, 2> count = {0, 0};
  for (const Token& token : *tokens)
    if (token.sequence >= 0) ++count[static_cast<std::size_t>(token.sequence)];
  const std::int64_t fixed = static_cast<std::int64_t>(tokens->size()) - count[0] - count[1];
  std::array<std::int64_t, 2> keep = count;
  while (fixed + keep[0] + keep[1] > limit && keep[0] + keep[1] > 0)
    --keep[keep[0] >= keep[1] ? 0 : 1];
  std::array<std::int64_t, 2> seen = {0, 0};
  std::erase_if(*tokens, [&](const Token& token) {
    if (token.sequence < 0) return false;
    const auto which = static_cast<std::size_t>(token.sequence);
    return seen[which]++ >= keep[which];
  });
}

// Leaves out what lies behind the last token of the sequence.
void cut_text(const std::vector<Token>& tokens, int sequence, std::string* text) {
  std::size_t end = 0;
  for (const Token& token : tokens)
    if (token.sequence == sequence) end = std::max(end, token.span.end);
  text->resize(std::min(end, text->size()));
}

bool bracketed(std::string_view label) {
  return label.size() > 2 && ((label.front() == '[' && label.back() == ']') ||
                              (label.front() == '<' && label.back() == '>'));
}

std::vector<int> layers_to_record(const RunRequest& request, std::int64_t layers) {
  std::vector<int> chosen = request.layers;
  for (const HeadId id : request.heads) chosen.push_back(id.layer);
  for (const int layer : chosen)
    if (layer < 0 || layer >= layers)
      throw Error(fmt::format("layer {}: the model has layers 0 to {}", layer, layers - 1),
                  Error::Kind::kUsage);
  if (!request.heads.empty() && !request.layers.empty())
    for (const HeadId id : request.heads)
      if (std::find(request.layers.begin(), request.layers.end(), id.layer) == request.layers.end())
        throw Error(fmt::format("head {} is not in the layers asked for", to_string(id)),
                    Error::Kind::kUsage);
  if (!request.heads.empty()) {
    chosen.clear();
    for (const HeadId id : request.heads) chosen.push_back(id.layer);
  }
  std::sort(chosen.begin(), chosen.end());
  chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
  return chosen;
}

// Weights from elsewhere are shown as they are; what no softmax gives is said.
void note_what_is_no_attention(const NpyArray& array, std::int64_t keys,
                               std::vector<std::string>* notes) {
  constexpr double kFarFromOne = 1e-2;  // half precision stays within
  std::size_t negative = 0, other_sums = 0;
  const auto columns = static_cast<std::size_t>(keys);
  for (std::size_t row = 0; row < array.data.size() / columns; ++row) {
    double sum = 0;
    for (std::size_t column = 0; column < columns; ++column) {
      const float weight = array.data[row * columns + column];
      negative += weight < 0 ? 1 : 0;
      sum += weight;
    }
    other_sums += std::abs(sum - 1) > kFarFromOne ? 1 : 0;
  }
  if (negative > 0) notes->push_back(fmt::format("{} weights are negative", negative));
  if (other_sums > 0)
    notes->push_back(
        fmt::format("{} of {} rows do not sum to 1", other_sums, array.data.size() / columns));
}

std::vector<std::string> read_labels(const std::string& path, std::vector<std::string>* notes) {
  std::string text = mended(read_text_file(path, std::size_t{64} << 20), "labels", notes);
  if (text.starts_with("\ufeff")) text.erase(0, 3);  // the byte order mark of some editors
  std::vector<std::string> labels;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string label = text.substr(at, end - at);
    if (label.ends_with('\r')) label.pop_back();
    labels.push_back(std::move(label));
    at = end + 1;
  }
  return labels;
}

// What the model's regard.json says; nothing when there is none.
ModelNotes notes_of(const std::string& folder) {
  if (folder == kBuiltinModel)
    return read_model_notes(builtin_model_notes(), folder + "/regard.json");
  const std::string file = folder + "/regard.json";
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return {};
  return read_model_notes(read_text_file(file, std::size_t{1} << 20), file);
}

}  // namespace

Token token_of(std::int64_t id, const Tokenizer* tokenizer) {
  Token token;
  token.id = id;
  token.text = fmt::format("#{}", id);
  if (tokenizer == nullptr) return token;
  if (const auto piece = tokenizer->piece(id)) token.text = *piece;
  token.special = tokenizer->is_special(id);
  return token;
}

struct Session::State {
  struct Opened {
    std::string folder;
    std::shared_ptr<const Tokenizer> tokenizer;
  };
  Settings settings;
  // The last model that was asked for: trained, and untrained.
  struct OpenedModel {
    std::string folder;
    std::filesystem::file_time_type written;
    std::shared_ptr<const Model> model;
  };
  OpenedModel trained, untrained;
  Opened source, target;
};

Session::Session(Settings settings) : state_(std::make_unique<State>()) {
  if (!settings.instruction_set.empty()) force_instruction_set(settings.instruction_set);
  if (settings.threads > 0) set_thread_count(settings.threads);
  state_->settings = std::move(settings);
}

Session::~Session() = default;

const Settings& Session::settings() const { return state_->settings; }

std::shared_ptr<const Model> Session::open_model(const std::string& model, bool untrained) {
  const std::string folder = resolve(model);
  State::OpenedModel& place = untrained ? state_->untrained : state_->trained;
  // A model in training is written again and again.
  std::error_code none;
  const std::filesystem::path weights = std::filesystem::path(folder) / "model.safetensors";
  const auto written = std::filesystem::last_write_time(weights, none);
  if (place.model == nullptr || place.folder != folder || place.written != written)
    place = {
        folder, written,
        std::make_shared<const Model>(folder == kBuiltinModel ? open_builtin_model(untrained)
                                                              : Model::open(folder, untrained))};
  return place.model;
}

std::shared_ptr<const Tokenizer> Session::open_tokenizer(const std::string& model, bool target) {
  std::string folder = resolve(model);
  const bool builtin = folder == kBuiltinModel;
  // Weights named by themselves stand beside their tokenizer; a GGUF file holds its own.
  if (!builtin && !folder.ends_with(".gguf") && !std::filesystem::is_directory(folder))
    folder = (std::filesystem::path(folder).parent_path() / ".").string();
  State::Opened& opened = target ? state_->target : state_->source;
  if (opened.tokenizer != nullptr && opened.folder == folder) return opened.tokenizer;
  if (builtin) {
    opened.tokenizer = std::make_shared<const Tokenizer>(open_builtin_tokenizer());
  } else if (folder.ends_with(".gguf")) {
    const GgufFile file = GgufFile::open(folder);
    if (!file.find("tokenizer.ggml.model")) return nullptr;
    opened.tokenizer =
        std::make_shared<const Tokenizer>(Tokenizer::from_gguf(read_gguf_vocabulary(file), folder));
  } else {
    if (!Tokenizer::present(folder)) return nullptr;
    opened.tokenizer = std::make_shared<const Tokenizer>(target ? Tokenizer::open_target(folder)
                                                                : Tokenizer::open(folder));
  }
  opened.folder = folder;
  return opened.tokenizer;
}

Trace Session::encode(const RunRequest& request) {
  return encode(request, open_tokenizer(request.model).get());
}

Trace Session::encode(const RunRequest& request, const Tokenizer* tokenizer) {
  Trace trace;
  const std::string folder = resolve(request.model);
  trace.model = folder == kBuiltinModel ? folder : model_title(folder);
  const ModelNotes notes = notes_of(folder);
  trace.preferred = notes.default_heads;
  trace.preferred_why = notes.why;

  if (request.use_ids) {
    if (request.ids.empty()) throw Error("ids: expected at least one token id, found none");
    for (const std::int64_t id : request.ids) {
      trace.tokens.push_back(token_of(id, tokenizer));
      trace.tokens.back().sequence = 0;
    }
    return trace;
  }

  if (tokenizer == nullptr)
    throw Error::at(folder, "", "tokenizer.json or vocab.txt (or token ids with --ids)", "neither");
  if (request.text.empty()) throw Error("text: expected at least one character, found none");
  trace.text = mended(request.text, "text", &trace.notes);
  if (request.pair) {
    if (request.pair->empty())
      throw Error("second text: expected at least one character, found none");
    trace.pair = mended(*request.pair, "second text", &trace.notes);
  }
  trace.tokens =
      (trace.pair ? tokenizer->encode_pair(trace.text, *trace.pair) : tokenizer->encode(trace.text))
          .tokens;
  for (int sequence = 0; sequence < (trace.pair ? 2 : 1); ++sequence)
    if (std::none_of(trace.tokens.begin(), trace.tokens.end(),
                     [&](const Token& token) { return token.sequence == sequence; }))
      throw Error(
          fmt::format("{}: expected at least one token, found only white space and control "
                      "characters",
                      sequence == 0 ? "text" : "second text"));
  if (!notes.made_for.empty())
    for (std::string& note : note_unknown_words(trace, notes))
      trace.notes.push_back(std::move(note));
  return trace;
}

Session::Prepared Session::prepare(const RunRequest& request, const Progress& progress,
                                   const CancelToken* cancel) {
  Prepared prepared;
  Trace& trace = prepared.trace;
  trace = encode(request);
  prepared.model = open_model(request.model, request.untrained);
  if (request.untrained) {
    trace.model += ", untrained";
    trace.notes.emplace_back("untrained: the weights were drawn at random");
    if (!trace.preferred.empty()) trace.preferred_why = "the heads of the trained model's view";
  }
  if (request.half)
    trace.notes.emplace_back(
        "queries, keys and values were rounded to fp16 before attention; the weights are exact for "
        "these");
  const ModelSpec& spec = prepared.model->spec();

  const auto count = static_cast<std::int64_t>(trace.tokens.size());
  if (spec.max_positions > 0 && count > spec.max_positions) {
    if (!request.truncate)
      throw Error(
          fmt::format("text: expected at most {} tokens (the positions of {}), found {}; "
                      "--truncate keeps the first {}",
                      spec.max_positions, trace.model, count, spec.max_positions));
    if (request.use_ids) {
      trace.tokens.resize(static_cast<std::size_t>(spec.max_positions));
    } else {
      truncate(&trace.tokens, spec.max_positions);
      cut_text(trace.tokens, 0, &trace.text);
      if (trace.pair) cut_text(trace.tokens, 1, &*trace.pair);
    }
    trace.notes.push_back(
        fmt::format("truncated: {} of {} tokens, the model's limit", trace.tokens.size(), count));
  }

  ModelInput& input = prepared.input;
  for (const Token& token : trace.tokens) {
    input.ids.push_back(token.id);
    input.types.push_back(token.type);
  }
  if (spec.types == 0) input.types.clear();
  continue_text(request, &prepared, progress, cancel);
  const StackSpec& stack = prepared.stack();
  prepared.layers = layers_to_record(request, stack.layers);
  const auto length = static_cast<std::int64_t>(trace.tokens.size());
  if (stack.trained_positions > 0 && length > stack.trained_positions)
    trace.notes.push_back(
        fmt::format("{} tokens: more than the {} that the model was made for; what it attends to "
                    "beyond them means little",
                    length, stack.trained_positions));
  return prepared;
}

Trace Session::run(const RunRequest& request, const Progress& progress, const CancelToken* cancel) {
  Prepared prepared = prepare(request, progress, cancel);
  Trace& trace = prepared.trace;
  Recorder recorder(&trace, prepared.layers);
  HalfObserver half(&recorder);
  Observer* const observer = request.half ? static_cast<Observer*>(&half) : &recorder;
  prepared.model->forward(prepared.input, observer, progress, cancel);
  if (!request.heads.empty()) keep_heads(&trace, request.heads);
  // The records may outlive the session's hold on the model.
  trace.keep(prepared.model);
  return std::move(trace);
}

Trace Session::open_trace(const std::string& path) const { return read_trace(path); }

Trace Session::from_matrices(const std::string& npy, const std::string& labels) const {
  Trace trace;
  trace.model = std::filesystem::path(npy).filename().string();
  auto array = std::make_shared<NpyArray>(read_npy(npy));
  Shape shape = array->shape;
  if (shape.size() < 2 || shape.size() > 4)
    throw Error::at(npy, "shape", "[query, key], [head, query, key] or [layer, head, query, key]",
                    to_string(shape));
  while (shape.size() < 4) shape.insert(shape.begin(), 1);
  const std::int64_t layers = shape[0], heads = shape[1], n = shape[2];
  if (n != shape[3] || n == 0 || layers == 0 || heads == 0 || layers > 100000 || heads > 100000)
    throw Error::at(npy, "shape", "as many queries as keys, at least one, of at least one head",
                    to_string(array->shape));
  for (std::size_t i = 0; i < array->data.size(); ++i)
    if (!std::isfinite(array->data[i]))
      throw Error::at(npy, fmt::format("element {}", i), "a finite weight",
                      fmt::format("{}", array->data[i]));
  note_what_is_no_attention(*array, n, &trace.notes);

  const std::vector<std::string> names = read_labels(labels, &trace.notes);
  if (static_cast<std::int64_t>(names.size()) != n)
    throw Error::at(labels, "", fmt::format("{} lines, one a query and key of {}", n, npy),
                    fmt::format("{}", names.size()));
  for (const std::string& name : names) {
    Token token;
    token.id = static_cast<std::int64_t>(trace.tokens.size());
    token.text = name;
    token.special = bracketed(name);
    token.sequence = token.special ? -1 : 0;
    if (!trace.text.empty()) trace.text += ' ';
    token.span.start = trace.text.size();
    if (!token.special) trace.text += name;
    token.span.end = trace.text.size();
    trace.tokens.push_back(std::move(token));
  }
  for (std::int64_t l = 0; l < layers; ++l) {
    LayerTrace layer;
    layer.layer = static_cast<int>(l);
    layer.queries = layer.keys = n;
    for (std::int64_t h = 0; h < heads; ++h) layer.head_ids.push_back(static_cast<int>(h));
    const float* data = array->data.data() + l * heads * n * n;
    layer.weights =
        TensorView{DType::kF32, {heads, n, n}, reinterpret_cast<const std::byte*>(data)};
    trace.layers.emplace(layer.layer, std::move(layer));
  }
  trace.keep(std::move(array));
  trace.notes.push_back("weights as given, not computed here; labels in [] or <> count as special");
  return trace;
}

}  // namespace regard
