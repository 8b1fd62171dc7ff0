// SPDX-License-Identifier: Apache-2.0
// Fetches a model from the hub into the hub's own cache on this machine, so that Python finds it
// there too: its configuration, tokenizer and weights, nothing else.
// Source: huggingface_hub 1.x, file_download.py; the hub's URLs /api/models/ID/revision/REVISION
// and /ID/resolve/COMMIT/FILE.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "regard/platform/threads.h"
#include "regard/session/hub_cache.h"
#include "regard/session/settings.h"

namespace regard {

// Bytes of a file that are there, and of all of it (0: not known).
using PullProgress =
    std::function<void(const std::string& file, std::uint64_t done, std::uint64_t total)>;

// Returns the snapshot's folder. A file that is there already is not fetched again; one that broke
// off is resumed, also by a later call. A broken connection is tried again while bytes arrive. A
// file whose name is a SHA-256 is checked against it before it gets its name. The reference is
// written last. Throws Error: offline (before any use of the network); no such model, revision or
// file; not allowed (naming HF_TOKEN); no answer; a wrong hash; a full disk; no weights that
// Regard reads.
std::string pull_model(const HubSettings& settings, const HubId& id,
                       const PullProgress& progress = {}, const CancelToken* cancel = nullptr);

}  // namespace regard
