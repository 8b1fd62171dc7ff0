// SPDX-License-Identifier: Apache-2.0
// BERT's template (Devlin et al. 2019, arXiv:1810.04805, figure 2).
#include "regard/tokenizer/post_processor.h"

namespace regard {

PostProcessor PostProcessor::bert(const TemplateToken& cls, const TemplateToken& sep) {
  PostProcessor processor;
  processor.single = {{-1, 0, {cls}}, {0, 0, {}}, {-1, 0, {sep}}};
  processor.pair = processor.single;
  processor.pair.push_back({1, 1, {}});
  processor.pair.push_back({-1, 1, {sep}});
  return processor;
}

}  // namespace regard
