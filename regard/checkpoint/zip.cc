// SPDX-License-Identifier: Apache-2.0
// The entries of zip archives. Source: PKWARE APPNOTE.TXT 6.3.10.
#include "regard/checkpoint/zip.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "regard/checkpoint/byte_reader.h"
#include "regard/platform/error.h"

namespace regard {
namespace {

constexpr std::uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50;
constexpr std::uint32_t kEnd64 = 0x06064b50, kLocator64 = 0x07064b50;
constexpr std::uint64_t kEndBytes = 22, kLocatorBytes = 20, kCentralBytes = 46, kLocalBytes = 30;
constexpr std::uint64_t kLongestComment = 65535;
constexpr std::uint32_t kElsewhere32 = 0xffffffff;
constexpr std::uint16_t kElsewhere16 = 0xffff, kExtra64 = 1;

// The archive from `begin` on, for reading a record there; places in errors count from the start.
class Record {
 public:
  Record(std::span<const std::byte> archive, std::string_view file, std::uint64_t begin,
         std::uint32_t signature, std::string_view what)
      : reader_(archive, file) {
    reader_.take(begin, what);
    if (reader_.number<std::uint32_t>(what) != signature)
      throw reader_.wrong(begin, what, "other bytes");
  }
  std::uint64_t u16() { return reader_.number<std::uint16_t>("a number of the archive"); }
  std::uint64_t u32() { return reader_.number<std::uint32_t>("a number of the archive"); }
  std::uint64_t u64() { return reader_.number<std::uint64_t>("a number of the archive"); }
  void skip(std::uint64_t count) { reader_.take(count, "a record of the archive"); }
  std::string_view text(std::uint64_t length) { return reader_.text(length, "a name"); }
  std::uint64_t position() const { return reader_.position(); }
  Error wrong(std::string_view expected, std::string_view found) const {
    return reader_.wrong(reader_.position(), expected, found);
  }

 private:
  ByteReader reader_;
};

// Where the end record begins: the last one whose comment reaches exactly to the end of the file.
std::uint64_t find_end(std::span<const std::byte> archive, std::string_view file) {
  if (archive.size() >= kEndBytes) {
    const std::uint64_t last = archive.size() - kEndBytes;
    const std::uint64_t first = last > kLongestComment ? last - kLongestComment : 0;
    for (std::uint64_t at = last + 1; at-- > first;) {
      const std::byte* const record = archive.data() + at;
      std::uint32_t signature;
      std::uint16_t comment;
      std::memcpy(&signature, record, sizeof signature);
      std::memcpy(&comment, record + 20, sizeof comment);
      if (signature == kEnd && comment == last - at) return at;
    }
  }
  throw Error::at(file, "", "a zip archive with its end record", "no such record");
}

struct Directory {
  std::uint64_t entries = 0, size = 0, offset = 0, end = 0;
};

Directory read_directory(std::span<const std::byte> archive, std::string_view file) {
  Directory directory;
  const std::uint64_t at = directory.end = find_end(archive, file);
  Record end(archive, file, at, kEnd, "an end record");
  const std::uint64_t disk = end.u16(), start_disk = end.u16(), here = end.u16();
  directory.entries = end.u16();
  directory.size = end.u32();
  directory.offset = end.u32();
  const bool wide = disk == kElsewhere16 || directory.entries == kElsewhere16 ||
                    directory.size == kElsewhere32 || directory.offset == kElsewhere32;
  if (wide) {
    if (at < kLocatorBytes) throw end.wrong("a zip64 locator before the end record", "nothing");
    Record locator(archive, file, at - kLocatorBytes, kLocator64, "a zip64 locator");
    locator.skip(4);
    directory.end = locator.u64();
    Record end64(archive, file, directory.end, kEnd64, "a zip64 end record");
    end64.skip(8 + 2 + 2 + 4 + 4 + 8);
    directory.entries = end64.u64();
    directory.size = end64.u64();
    directory.offset = end64.u64();
  } else if (disk != 0 || start_disk != 0 || here != directory.entries) {
    throw end.wrong("an archive in one part", "one of several");
  }
  if (directory.offset > directory.end || directory.size > directory.end - directory.offset)
    throw end.wrong(fmt::format("a directory before byte {}", directory.end),
                    fmt::format("{} bytes at {}", directory.size, directory.offset));
  if (directory.entries > directory.size / kCentralBytes)
    throw end.wrong(fmt::format("at most {} entries", directory.size / kCentralBytes),
                    fmt::format("{}", directory.entries));
  return directory;
}

// Reads the zip64 field of an extra part for those numbers that say that they are there.
void read_extra64(Record& record, std::uint64_t length, std::uint64_t* size, std::uint64_t* stored,
                  std::uint64_t* offset) {
  const std::uint64_t end = record.position() + length;
  while (end - record.position() >= 4) {
    const std::uint64_t kind = record.u16(), bytes = record.u16();
    if (bytes > end - record.position())
      throw record.wrong("an extra field within its part", fmt::format("{} bytes", bytes));
    const std::uint64_t next = record.position() + bytes;
    if (kind == kExtra64)
      for (std::uint64_t* number : {size, stored, offset})
        if (*number == kElsewhere32) {
          if (next - record.position() < 8) throw record.wrong("a zip64 number", "an end");
          *number = record.u64();
        }
    record.skip(next - record.position());
  }
  record.skip(end - record.position());
}

}  // namespace

std::vector<ZipEntry> read_zip(std::span<const std::byte> archive, std::string_view file) {
  const Directory directory = read_directory(archive, file);
  std::vector<ZipEntry> entries;
  std::vector<std::span<const std::byte>> places;
  std::uint64_t at = directory.offset;
  for (std::uint64_t i = 0; i < directory.entries; ++i) {
    Record record(archive.first(static_cast<std::size_t>(directory.end)), file, at, kCentral,
                  "an entry of the directory");
    record.skip(4);
    ZipEntry entry;
    const std::uint64_t flags = record.u16();
    entry.compression = record.u16();
    record.skip(8);
    std::uint64_t stored = record.u32(), size = record.u32();
    const std::uint64_t name_length = record.u16(), extra_length = record.u16();
    const std::uint64_t comment_length = record.u16();
    record.skip(8);
    std::uint64_t offset = record.u32();
    entry.name = record.text(name_length);
    read_extra64(record, extra_length, &size, &stored, &offset);
    record.skip(comment_length);
    at = record.position();
    if ((flags & 1) != 0)
      throw record.wrong(fmt::format("{} in the clear", entry.name), "an encrypted entry");
    if (entry.compression == 0 && stored != size)
      throw record.wrong(fmt::format("one size of {}", entry.name),
                         fmt::format("{} and {}", size, stored));

    Record local(archive.first(static_cast<std::size_t>(directory.offset)), file, offset, kLocal,
                 "a local header");
    local.skip(kLocalBytes - 4 - 4);
    const std::uint64_t local_name = local.u16(), local_extra = local.u16();
    if (local.text(local_name) != entry.name)
      throw local.wrong(fmt::format("the name {}", entry.name), "another name");
    local.skip(local_extra);
    if (stored > directory.offset - local.position())
      throw local.wrong(fmt::format("the {} bytes of {}", stored, entry.name),
                        fmt::format("{} bytes", directory.offset - local.position()));
    entry.data = archive.subspan(static_cast<std::size_t>(local.position()),
                                 static_cast<std::size_t>(stored));
    places.push_back(entry.data);
    entries.push_back(entry);
  }
  std::sort(places.begin(), places.end(),
            [](const auto& a, const auto& b) { return a.data() < b.data(); });
  for (std::size_t i = 1; i < places.size(); ++i)
    if (places[i].data() < places[i - 1].data() + places[i - 1].size())
      throw Error::at(file, fmt::format("byte {}", places[i].data() - archive.data()),
                      "entries side by side", "an overlap");
  std::sort(entries.begin(), entries.end(),
            [](const ZipEntry& a, const ZipEntry& b) { return a.name < b.name; });
  for (std::size_t i = 1; i < entries.size(); ++i)
    if (entries[i].name == entries[i - 1].name)
      throw Error::at(file, entries[i].name, "each entry once", "it twice");
  return entries;
}

const ZipEntry* find_entry(std::span<const ZipEntry> entries, std::string_view name) {
  const auto found = std::lower_bound(
      entries.begin(), entries.end(), name,
      [](const ZipEntry& entry, std::string_view wanted) { return entry.name < wanted; });
  return found != entries.end() && found->name == name ? &*found : nullptr;
}

}  // namespace regard
