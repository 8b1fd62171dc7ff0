// SPDX-License-Identifier: Apache-2.0
// How an architecture calls its tensors.
#pragma once

#include <string>
#include <vector>

namespace regard {

// Names around and in a layer, without ".weight" and ".bias"; the first "{}" stands for the layer,
// the second for the expert. An empty name: the architecture has no such tensor.
struct TensorNames {
  // Tried in turn before the word embedding's name: "", "bert.", "model.". The one that fits goes
  // before every name but the head's, which stand as they are. The first is that of a checkpoint
  // with a language head.
  std::vector<std::string> prefixes = {""};
  std::string word_embedding, word_embedding_alias, position_embedding, type_embedding;
  std::string embedding_norm, embedding_projection;
  std::string final_norm, output_projection;

  // Norms before a block, on its output before the residual sum, and after the sum.
  std::string attention_norm, attention_out_norm, attention_after_norm;
  std::string mlp_norm, mlp_out_norm, mlp_after_norm;

  std::string query, key, value, qkv;  // three, or one fused
  std::string query_norm, key_norm, sinks;
  std::string attention_out;
  std::string query_bias, value_bias;  // beside a fused weight that has no key bias
  std::string relative_bias;           // an embedding of buckets, one for all layers
  std::string relative_embedding, relative_norm, position_key, position_query;  // DeBERTa

  std::string cross_norm, cross_after_norm, cross_query, cross_key, cross_value, cross_out;

  std::string gate, up, gate_up, down;  // gate_up: fused, the gate first
  std::string router_fused;  // the router's name beside fused experts where it is another
  std::string router, expert_gate, expert_up, expert_down;
  std::string experts_gate_up, experts_gate, experts_up, experts_down;  // all in one tensor

  // Before the vocabulary: dense and norm (masked-LM heads), then the decoder, whose bias has the
  // first of the names that the checkpoint has.
  std::string head_dense, head_norm, head_decoder, head_decoder_alias;
  std::vector<std::string> head_biases;
};

}  // namespace regard
