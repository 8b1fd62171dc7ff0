// SPDX-License-Identifier: Apache-2.0
// What `regard show --run` writes to files: a strip of maps, a page with a slider.
#pragma once

#include "apps/cli/command.h"
#include "regard/render/picture.h"

namespace regard::cli {

// One head's map at each checkpoint.
void draw_run(Context& context, const RunShow& wanted, PictureFormat format,
              const PictureStyle& style);
// The page with the text's trace at each checkpoint.
void write_run_page(Context& context, const RunShow& wanted);

}  // namespace regard::cli
