// SPDX-License-Identifier: Apache-2.0
// Everything that is read from the environment, read once.
// Thread safety: the structs are plain values, as safe as a std::vector.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace regard {

// The model hub, as Python's huggingface_hub reads it.
struct HubSettings {
  std::string cache_folder;  // HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub
  std::string endpoint;      // HF_ENDPOINT, without a slash at its end
  std::string token;         // HF_TOKEN
  bool offline = false;      // HF_HUB_OFFLINE
  int timeout = 10;          // HF_HUB_DOWNLOAD_TIMEOUT: seconds of silence
};

struct Settings {
  std::string model;            // REGARD_MODEL: default model; empty: the one in the program
  std::string cache_folder;     // REGARD_CACHE, else XDG_CACHE_HOME/regard, else ~/.cache/regard
  std::string instruction_set;  // REGARD_ISA: force one
  int threads = 0;              // REGARD_THREADS; 0: all cores
  std::optional<std::int64_t> source_date;  // SOURCE_DATE_EPOCH
  bool no_colour = false;                   // NO_COLOR is set and not empty
  std::string colour_term, term;            // COLORTERM, TERM
  std::string ask_key;                      // REGARD_ASK_KEY: of the service for free questions
  std::string temporary;                    // TMPDIR, else /tmp
  HubSettings hub;

  // Throws Error (usage) naming a variable whose value makes no sense.
  static Settings from_environment();
};

}  // namespace regard
