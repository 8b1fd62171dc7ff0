// SPDX-License-Identifier: Apache-2.0
// Weights as torch.save writes them. Source: torch/serialization.py, torch/_utils.py.
#include "regard/checkpoint/torch_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "regard/checkpoint/pickle.h"
#include "regard/checkpoint/zip.h"
#include "regard/platform/error.h"

namespace regard {
namespace {

constexpr std::string_view kPickle = "/data.pkl";
constexpr std::size_t kMostAxes = 16;

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool begins_as_archive(std::string_view text) { return text.starts_with("PK\3\4"); }
// Protocol 2 and the number that torch.save began with before PyTorch 1.6.
bool begins_as_old(std::string_view text) {
  return text.starts_with(std::string_view("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8", 12));
}

// Whether the elements lie in row-major order without holes; axes of one element may have any
// stride.
bool is_contiguous(const PickledTensor& tensor) {
  std::int64_t step = 1;
  for (std::size_t i = tensor.shape.size(); i-- > 0;) {
    if (tensor.shape[i] == 1) continue;
    if (tensor.strides[i] != step) return false;
    step *= tensor.shape[i];
  }
  return true;
}

// The index of the last element behind the offset, or nothing when it overflows.
std::optional<std::int64_t> last_index(const PickledTensor& tensor) {
  std::int64_t last = 0;
  for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
    std::int64_t reach = 0;
    if (tensor.strides[i] < 0 ||
        __builtin_mul_overflow(tensor.shape[i] - 1, tensor.strides[i], &reach) ||
        __builtin_add_overflow(last, reach, &last))
      return std::nullopt;
  }
  return last;
}

// The elements in row-major order. `from` is the first of them.
std::vector<std::byte> gather(const PickledTensor& tensor, std::int64_t count,
                              const std::byte* from) {
  const std::size_t size = size_of(tensor.dtype);
  std::vector<std::byte> out(static_cast<std::size_t>(count) * size);
  std::vector<std::int64_t> index(tensor.shape.size(), 0);
  std::int64_t at = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    std::memcpy(out.data() + i * size, from + static_cast<std::size_t>(at) * size, size);
    for (std::size_t axis = index.size(); axis-- > 0;) {
      at += tensor.strides[axis];
      if (++index[axis] < tensor.shape[axis]) break;
      at -= index[axis] * tensor.strides[axis];
      index[axis] = 0;
    }
  }
  return out;
}

// The folder inside the archive that holds everything.
std::string find_root(std::span<const ZipEntry> entries, const std::string& path) {
  std::optional<std::string> root;
  for (const ZipEntry& entry : entries) {
    if (!entry.name.ends_with(kPickle)) continue;
    if (root) throw Error::at(path, entry.name, "one data.pkl", "two");
    root = entry.name.substr(0, entry.name.size() - kPickle.size());
  }
  if (!root) throw Error::at(path, "", "an archive of torch.save, with data.pkl", "none of it");
  if (find_entry(entries, *root + "/constants.pkl") != nullptr)
    throw Error::at(path, *root + "/constants.pkl", "weights as torch.save writes them",
                    "a TorchScript archive");
  for (const ZipEntry& entry : entries)
    if (entry.compression != 0)
      throw Error::at(path, entry.name, "an entry stored as it is",
                      fmt::format("compression method {}", entry.compression));
  const ZipEntry* order = find_entry(entries, *root + "/byteorder");
  if (order != nullptr && text_of(order->data) != "little")
    throw Error::at(path, *root + "/byteorder", "\"little\"", text_of(order->data));
  return *root;
}

}  // namespace

bool TorchFile::begins(std::span<const std::byte> bytes) {
  return begins_as_archive(text_of(bytes)) || begins_as_old(text_of(bytes));
}

TorchFile TorchFile::open(const std::string& path) {
  TorchFile result(MappedFile::open(path));
  const std::span<const std::byte> bytes = result.file_.bytes();
  if (begins_as_old(text_of(bytes)))
    throw Error::at(
        path, "byte 0", "a zip archive, as torch.save writes since PyTorch 1.6",
        "the older format; torch.save(torch.load(..)) with a newer PyTorch converts it");
  if (!begins_as_archive(text_of(bytes)))
    throw Error::at(path, "byte 0", "a zip archive of torch.save", "other bytes");
  result.add_tensors(bytes);
  return result;
}

void TorchFile::add_tensors(std::span<const std::byte> archive) {
  const std::vector<ZipEntry> entries = read_zip(archive, path());
  const std::string root = find_root(entries, path());
  const std::string pickle = root + std::string(kPickle);
  std::uint64_t copied = 0;
  for (PickledTensor& tensor : read_pickled_tensors(find_entry(entries, pickle)->data,
                                                    fmt::format("{}: {}", path(), pickle))) {
    const auto wrong = [&](std::string_view expected, std::string_view found) {
      return Error::at(path(), tensor.name, expected, found);
    };
    const ZipEntry* storage = find_entry(entries, root + "/data/" + tensor.storage);
    if (storage == nullptr) throw wrong(fmt::format("the entry data/{}", tensor.storage), "none");
    const std::optional<std::uint64_t> there =
        byte_count(Shape{tensor.storage_elements}, tensor.dtype);
    if (!there || *there != storage->data.size())
      throw wrong(fmt::format("a storage of {} elements of {}", tensor.storage_elements,
                              name_of(tensor.dtype)),
                  fmt::format("{} bytes", storage->data.size()));
    if (tensor.shape.size() != tensor.strides.size() || tensor.shape.size() > kMostAxes)
      throw wrong(
          fmt::format("at most {} axes and a stride for each", kMostAxes),
          fmt::format("shape {}, strides {}", to_string(tensor.shape), to_string(tensor.strides)));
    const std::string found =
        fmt::format("shape {}, strides {}, offset {}", to_string(tensor.shape),
                    to_string(tensor.strides), tensor.offset);
    const std::optional<std::uint64_t> bytes = byte_count(tensor.shape, tensor.dtype);
    if (!bytes || tensor.offset < 0 || tensor.offset > tensor.storage_elements)
      throw wrong(fmt::format("elements among the {} of its storage", tensor.storage_elements),
                  found);
    NamedTensor named;
    named.view = {tensor.dtype, tensor.shape, storage->data.data()};
    if (*bytes > 0) {
      const std::optional<std::int64_t> last = last_index(tensor);
      if (!last || *last >= tensor.storage_elements - tensor.offset)
        throw wrong(fmt::format("elements among the {} of its storage", tensor.storage_elements),
                    found);
      named.view.data += static_cast<std::size_t>(tensor.offset) * size_of(tensor.dtype);
      if (!is_contiguous(tensor)) {
        copied += *bytes;
        if (*bytes > storage->data.size() || copied > archive.size())
          throw wrong("elements of its own, each once", found);
        copies_.push_back(gather(tensor, element_count(tensor.shape), named.view.data));
        named.view.data = copies_.back().data();
      }
    }
    named.name = names_.emplace_back(std::move(tensor.name));
    tensors_.push_back(std::move(named));
  }
  sort_by_name(&tensors_);
}

}  // namespace regard
