// SPDX-License-Identifier: Apache-2.0
// The names of GGUF's tensors. Source: gguf-py/gguf/constants.py of github.com/ggml-org/llama.cpp
// (TENSOR_NAMES).
#include <fmt/format.h>

#include <cctype>
#include <set>

#include "regard/model/gguf_tables.h"
#include "regard/platform/error.h"

namespace regard {
namespace {

// "blk.7.attn_q.weight" as the names have it, "blk.{}.attn_q".
std::string generic_name(std::string_view tensor) {
  std::string name(tensor);
  for (const std::string_view end : {".weight", ".bias"})
    if (name.ends_with(end)) name.resize(name.size() - end.size());
  const std::size_t block = name.find("blk.");
  if (block == std::string::npos) return name;
  std::size_t end = block + 4;
  while (end < name.size() && std::isdigit(static_cast<unsigned char>(name[end]))) ++end;
  return end == block + 4 ? name : name.replace(block + 4, end - block - 4, "{}");
}

void add_names(const StackSpec& stack, std::set<std::string>* used) {
  const TensorNames& n = stack.names;
  for (const std::string* name : {&n.word_embedding,
                                  &n.position_embedding,
                                  &n.type_embedding,
                                  &n.embedding_norm,
                                  &n.final_norm,
                                  &n.attention_norm,
                                  &n.attention_out_norm,
                                  &n.attention_after_norm,
                                  &n.mlp_norm,
                                  &n.mlp_out_norm,
                                  &n.mlp_after_norm,
                                  &n.query,
                                  &n.key,
                                  &n.value,
                                  &n.qkv,
                                  &n.query_norm,
                                  &n.key_norm,
                                  &n.sinks,
                                  &n.attention_out,
                                  &n.relative_bias,
                                  &n.cross_norm,
                                  &n.cross_query,
                                  &n.cross_key,
                                  &n.cross_value,
                                  &n.cross_out,
                                  &n.gate,
                                  &n.up,
                                  &n.gate_up,
                                  &n.down,
                                  &n.router,
                                  &n.experts_gate,
                                  &n.experts_up,
                                  &n.experts_down,
                                  &n.head_decoder})
    // A bias of relative positions is one layer's, and only that layer's.
    used->insert(name == &n.relative_bias ? *name : generic_name(*name));
}

}  // namespace

void name_gguf_tensors(const Checkpoint& checkpoint, std::string_view part, StackSpec* stack) {
  TensorNames& names = stack->names;
  const auto has = [&](std::string_view tensor) {
    return checkpoint.find(fmt::format("{}blk.0.{}", part, tensor)).has_value();
  };
  const auto rename = [&](std::string* name, std::string_view to) {
    if (!name->empty()) *name = fmt::format("{}{}", part, to);
  };
  const auto in_block = [&](std::string* name, std::string_view to) {
    if (!name->empty()) *name = fmt::format("{}blk.{{}}.{}", part, to);
  };
  names.prefixes = {""};
  names.word_embedding = "token_embd";
  names.word_embedding_alias = names.head_decoder_alias = "";
  rename(&names.position_embedding, "position_embd");
  rename(&names.type_embedding, "token_types");
  if (stack->types > 0 && !checkpoint.find(names.type_embedding + ".weight")) {
    stack->types = 0;  // DistilBERT
    names.type_embedding = "";
  }
  rename(&names.embedding_norm, "token_embd_norm");
  rename(&names.final_norm, "output_norm");
  rename(&names.relative_bias, "blk.0.attn_rel_b");

  const bool second = has("attn_norm_2.weight");  // Falcon: attention's own
  in_block(&names.attention_norm, second ? "attn_norm_2" : "attn_norm");
  in_block(&names.mlp_norm, second                   ? "attn_norm"
                            : has("ffn_norm.weight") ? "ffn_norm"
                                                     : "post_attention_norm");  // gpt-oss
  in_block(&names.attention_out_norm, "post_attention_norm");
  in_block(&names.mlp_out_norm, "post_ffw_norm");
  in_block(&names.attention_after_norm, "attn_output_norm");
  in_block(&names.mlp_after_norm, "layer_output_norm");

  const bool fused = has("attn_qkv.weight");
  names.qkv = names.query = names.key = names.value = "";
  if (fused) {
    names.qkv = fmt::format("{}blk.{{}}.attn_qkv", part);
  } else {
    names.query = fmt::format("{}blk.{{}}.attn_q", part);
    names.key = fmt::format("{}blk.{{}}.attn_k", part);
    names.value = fmt::format("{}blk.{{}}.attn_v", part);
  }
  stack->fused = FusedLayout::kThirds;
  stack->transposed = false;
  in_block(&names.query_norm, "attn_q_norm");
  in_block(&names.key_norm, "attn_k_norm");
  in_block(&names.sinks, "attn_sinks.weight");
  const std::string_view out = has("attn_o.weight") ? "attn_o" : "attn_output";  // T5's is shorter
  in_block(&names.attention_out, out);
  in_block(&names.cross_norm, "cross_attn_norm");
  in_block(&names.cross_query, "cross_attn_q");
  in_block(&names.cross_key, "cross_attn_k");
  in_block(&names.cross_value, "cross_attn_v");
  in_block(&names.cross_out, "cross_attn_o");
  in_block(&names.gate, "ffn_gate");
  in_block(&names.up, "ffn_up");
  in_block(&names.gate_up, "ffn_up");
  in_block(&names.down, "ffn_down");
  Biases& biases = stack->biases;
  biases.query = has(fused ? "attn_qkv.bias" : "attn_q.bias");
  biases.key = has(fused ? "attn_qkv.bias" : "attn_k.bias");
  biases.value = has(fused ? "attn_qkv.bias" : "attn_v.bias");
  biases.out = has(fmt::format("{}.bias", out));
  biases.up = has("ffn_up.bias");
  biases.down = has("ffn_down.bias");
  if (!names.final_norm.empty() && stack->norm == NormKind::kLayerNorm)
    stack->norm_bias = checkpoint.find(names.final_norm + ".bias").has_value();
  stack->norm_offset = 0;  // folded into the gains

  if (stack->experts) {
    in_block(&names.router, "ffn_gate_inp");
    names.expert_gate = names.expert_up = names.expert_down = names.experts_gate_up = "";
    names.experts_gate = "blk.{}.ffn_gate_exps";
    names.experts_up = "blk.{}.ffn_up_exps";
    names.experts_down = "blk.{}.ffn_down_exps";
    stack->experts->interleaved = stack->experts->in_out = false;
    stack->experts->biases = has("ffn_down_exps.bias");
    stack->experts->router_bias = has("ffn_gate_inp.bias");
  }
  const bool headless = !names.head_dense.empty();  // a masked-LM head is not converted
  names.head_dense = names.head_norm = "";
  names.head_decoder = headless ? "" : "output";
  names.head_biases = {};
  if (checkpoint.find("output.bias")) names.head_biases = {"output.bias"};
}

void check_gguf_tensors(const Checkpoint& checkpoint, const ModelSpec& spec) {
  // Rotary factors, and what is made of the last hidden state.
  std::set<std::string> used = {
      "rope_freqs", "rope_factors_long", "rope_factors_short", "output", "cls",
      "cls.output", "cls.norm"};
  add_names(spec, &used);
  if (spec.decoder) add_names(*spec.decoder, &used);
  for (const std::string& tensor : checkpoint.names()) {
    const std::string name = generic_name(tensor);
    if (used.contains(name)) continue;
    const std::size_t dot = tensor.rfind('.');
    if (used.contains(tensor.substr(0, dot))) continue;
    throw Error::at(checkpoint.file_of(tensor), tensor,
                    fmt::format("a tensor of a {} model", spec.architecture),
                    "one that may change the attention and is not known");
  }
}

}  // namespace regard
