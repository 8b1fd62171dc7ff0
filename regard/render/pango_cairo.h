// SPDX-License-Identifier: Apache-2.0
// Cairo and Pango, loaded when the first picture is drawn: they and the forty libraries behind them
// cost more time than a sentence's forward pass. The functions have their own names and signatures;
// inside namespace regard a call of one goes through the object of the same name below. A function
// that is missing from the list does not link.
#pragma once

#include <cairo-pdf.h>
#include <cairo-svg.h>
#include <cairo.h>
#include <pango/pangocairo.h>

#include <atomic>

namespace regard {

// The address of a function of libpangocairo or of what it is linked with. Throws Error naming the
// library when it cannot be loaded, the function when the library has none.
void* find_in_pango_cairo(const char* function);

// Thread safety: any thread may call.
template <typename Function>
class LateFunction;
template <typename Result, typename... Arguments>
class LateFunction<Result(Arguments...)> {
 public:
  explicit constexpr LateFunction(const char* name) : name_(name) {}
  Result operator()(Arguments... arguments) const {
    void* address = address_.load(std::memory_order_acquire);
    if (address == nullptr) {
      address = find_in_pango_cairo(name_);
      address_.store(address, std::memory_order_release);
    }
    return reinterpret_cast<Result (*)(Arguments...)>(address)(arguments...);
  }

 private:
  const char* name_;
  mutable std::atomic<void*> address_{nullptr};
};

#define REGARD_LATE_FUNCTIONS(LATE)              \
  LATE(cairo_create)                             \
  LATE(cairo_destroy)                            \
  LATE(cairo_fill)                               \
  LATE(cairo_font_options_create)                \
  LATE(cairo_font_options_destroy)               \
  LATE(cairo_font_options_set_antialias)         \
  LATE(cairo_font_options_set_hint_metrics)      \
  LATE(cairo_font_options_set_hint_style)        \
  LATE(cairo_get_source)                         \
  LATE(cairo_image_surface_create)               \
  LATE(cairo_image_surface_get_data)             \
  LATE(cairo_image_surface_get_stride)           \
  LATE(cairo_line_to)                            \
  LATE(cairo_move_to)                            \
  LATE(cairo_pattern_set_filter)                 \
  LATE(cairo_pdf_surface_create_for_stream)      \
  LATE(cairo_pdf_surface_set_metadata)           \
  LATE(cairo_rectangle)                          \
  LATE(cairo_restore)                            \
  LATE(cairo_rotate)                             \
  LATE(cairo_save)                               \
  LATE(cairo_scale)                              \
  LATE(cairo_set_line_width)                     \
  LATE(cairo_set_source_rgb)                     \
  LATE(cairo_set_source_surface)                 \
  LATE(cairo_status)                             \
  LATE(cairo_status_to_string)                   \
  LATE(cairo_stroke)                             \
  LATE(cairo_surface_destroy)                    \
  LATE(cairo_surface_finish)                     \
  LATE(cairo_surface_mark_dirty)                 \
  LATE(cairo_surface_status)                     \
  LATE(cairo_surface_write_to_png_stream)        \
  LATE(cairo_translate)                          \
  LATE(g_object_unref)                           \
  LATE(pango_cairo_context_set_font_options)     \
  LATE(pango_cairo_create_layout)                \
  LATE(pango_cairo_show_layout)                  \
  LATE(pango_cairo_update_layout)                \
  LATE(pango_context_set_round_glyph_positions)  \
  LATE(pango_font_description_free)              \
  LATE(pango_font_description_from_string)       \
  LATE(pango_font_description_set_absolute_size) \
  LATE(pango_font_description_set_weight)        \
  LATE(pango_layout_get_baseline)                \
  LATE(pango_layout_get_context)                 \
  LATE(pango_layout_get_iter)                    \
  LATE(pango_layout_get_size)                    \
  LATE(pango_layout_iter_free)                   \
  LATE(pango_layout_iter_get_baseline)           \
  LATE(pango_layout_iter_get_line_extents)       \
  LATE(pango_layout_iter_get_line_readonly)      \
  LATE(pango_layout_iter_next_line)              \
  LATE(pango_layout_set_auto_dir)                \
  LATE(pango_layout_set_font_description)        \
  LATE(pango_layout_set_text)                    \
  LATE(pango_layout_set_width)                   \
  LATE(pango_layout_set_wrap)

#define REGARD_LATE_FUNCTION(name) \
  inline constinit const LateFunction<decltype(::name)> name(#name);
REGARD_LATE_FUNCTIONS(REGARD_LATE_FUNCTION)
#undef REGARD_LATE_FUNCTION
#undef REGARD_LATE_FUNCTIONS

}  // namespace regard
