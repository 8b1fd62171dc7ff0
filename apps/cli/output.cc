// SPDX-License-Identifier: Apache-2.0
// Where results go: files, standard output, and what the terminal there can show.
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "apps/cli/command.h"
#include "regard/platform/error.h"
#include "regard/platform/output_file.h"

namespace regard::cli {
namespace {

struct FormatName {
  Format format;
  std::string_view name, extension;
  bool binary;
};
constexpr std::array<FormatName, 8> kFormats = {{
    {Format::kText, "text", "txt", false},
    {Format::kJson, "json", "json", false},
    {Format::kCsv, "csv", "csv", false},
    {Format::kNpy, "npy", "npy", true},
    {Format::kPng, "png", "png", true},
    {Format::kSvg, "svg", "svg", false},
    {Format::kPdf, "pdf", "pdf", true},
    {Format::kHtml, "html", "html", false},
}};

const FormatName& entry_of(Format format) {
  return *std::find_if(kFormats.begin(), kFormats.end(),
                       [&](const FormatName& entry) { return entry.format == format; });
}

class StandardOutput {
 public:
  void write(std::string_view bytes) {
    buffer_ += bytes;
    if (buffer_.size() >= std::size_t{1} << 16) flush();
  }
  void flush() {
    std::string_view rest = buffer_;
    while (!rest.empty()) {
      const ssize_t done = ::write(STDOUT_FILENO, rest.data(), rest.size());
      if (done < 0 && errno == EINTR) continue;
      if (done < 0)
        throw Error(fmt::format("standard output: cannot be written: {}", std::strerror(errno)));
      rest.remove_prefix(static_cast<std::size_t>(done));
    }
    buffer_.clear();
  }

 private:
  std::string buffer_;
};

}  // namespace

Format output_format(const std::string& format, const std::string& file,
                     const std::vector<Format>& known) {
  std::string list;
  for (const Format one : known)
    list += (list.empty() ? "" : ", ") +
            std::string(format.empty() ? entry_of(one).extension : entry_of(one).name);
  if (!format.empty()) {
    for (const Format one : known)
      if (entry_of(one).name == format) return one;
    throw Error(fmt::format("--format: expected one of {}, found \"{}\"", list, format),
                Error::Kind::kUsage);
  }
  if (file.empty()) return known.front();
  const std::size_t dot = file.rfind('.');
  const std::size_t slash = file.rfind('/');
  const bool has = dot != std::string::npos && (slash == std::string::npos || dot > slash);
  std::string extension = has ? file.substr(dot + 1) : "";
  for (char& letter : extension)
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  for (const Format one : known)
    if (entry_of(one).extension == extension) return one;
  throw Error(fmt::format("{}: expected a file name that ends in one of {} (or --format), found "
                          "\"{}\"",
                          file, list, extension),
              Error::Kind::kUsage);
}

void write_output(const std::string& file, Format format,
                  const std::function<void(const Sink& sink)>& write) {
  if (!file.empty()) {
    OutputFile out(file);
    write([&](std::string_view bytes) { out.write(bytes); });
    out.commit();
    return;
  }
  if (entry_of(format).binary && isatty(STDOUT_FILENO) != 0)
    throw Error(
        fmt::format("{}: is not for a terminal; name a file with -o", entry_of(format).name),
        Error::Kind::kUsage);
  StandardOutput out;
  write([&](std::string_view bytes) { out.write(bytes); });
  out.flush();
}

void say(std::string_view line) {
  const std::string text = std::string(line) + "\n";
  // Nobody is left to be told when this fails.
  [[maybe_unused]] const ssize_t done = ::write(STDERR_FILENO, text.data(), text.size());
}

TerminalStyle terminal_style(const Context& context, const std::string& file) {
  TerminalStyle style;
  style.columns = 0;
  if (!file.empty() || isatty(STDOUT_FILENO) == 0) return style;
  style.columns = 80;
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) style.columns = size.ws_col;
  const Settings& settings = context.settings;
  if (settings.no_colour || settings.term.empty() || settings.term == "dumb") return style;
  if (settings.colour_term == "truecolor" || settings.colour_term == "24bit")
    style.colours = Colours::kTrue;
  else if (settings.term.find("256color") != std::string::npos)
    style.colours = Colours::k256;
  else
    style.colours = Colours::k16;
  return style;
}

}  // namespace regard::cli
