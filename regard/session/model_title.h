// SPDX-License-Identifier: Apache-2.0
// What a model is called in captions and data.
#pragma once

#include <string>

namespace regard {

// From the folder's path: the hub's id ("org/name") inside a hub cache; else the last component,
// with the one before it when the last says nothing ("model", "checkpoint-500"). models/minilm is
// the model of ./try --model minilm: "all-MiniLM-L6-v2". The configuration's _name_or_path is
// not asked: after training it names the model that the training began with.
std::string model_title(const std::string& folder);

}  // namespace regard
