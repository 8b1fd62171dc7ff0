// SPDX-License-Identifier: Apache-2.0
// regard show --run: to the terminal and as JSON; to files a strip of maps, a page with a slider.
#pragma once

#include "apps/cli/command.h"
#include "regard/render/picture.h"

namespace regard::cli {

// A text at every checkpoint of a training run.
struct RunShow {
  std::string folder;
  RunRequest text;
  ViewRequest view;
  std::string output;
  Format format;
  Scale scale;
  Top top;
  bool all_heads;
};
void show_run(Context& context, const RunShow& wanted);

// One head's map at each checkpoint.
void draw_run(Context& context, const RunShow& wanted, PictureFormat format,
              const PictureStyle& style);
// The page with the text's trace at each checkpoint.
void write_run_page(Context& context, const RunShow& wanted);

}  // namespace regard::cli
