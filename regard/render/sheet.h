// SPDX-License-Identifier: Apache-2.0
// The page under a picture with its caption at the foot, and where the words of a heatmap stand.
// Thread safety: one thread a sheet.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "regard/render/canvas.h"
#include "regard/render/page.h"
#include "regard/render/picture.h"

namespace regard {

// Columns of a terminal: half as many wide characters.
inline constexpr std::size_t kLongestLabel = 28;

double widest(const Canvas& canvas, const std::vector<std::string>& labels, const TextStyle& style);

// The page under everything, and its caption at the foot. All above it is `body` high.
class Sheet {
 public:
  // The notes follow the caption.
  Sheet(const std::vector<std::string>& notes, PictureFormat format, const PictureStyle& style,
        double width, double body, const std::string& title, const std::string& caption);
  Canvas& canvas() { return canvas_; }
  const Page& page() const { return page_; }
  std::string finish();

 private:
  double height() const;

  Page page_;
  TextStyle caption_style_;
  double width_, body_;
  std::string caption_;
  Canvas canvas_;
};

// Where the words of a heatmap stand.
struct Grid {
  double cell = 0, width = 0, height = 0;
  TextStyle label;
  std::size_t every = 1;  // one word of so many is written
  double turn = 0;        // of the columns' words, radians
  double left = 0, above = 0, right = 0;
};
// For these labels of rows and columns.
Grid grid_of(const Canvas& scratch, const std::vector<std::string>& rows,
             const std::vector<std::string>& columns, const Page& page);
void draw_words(Canvas* canvas, const Grid& grid, const std::vector<std::string>& rows,
                const std::vector<std::string>& columns);

}  // namespace regard
