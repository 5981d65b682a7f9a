#include "store/object_file.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "store/arrow/reader.h"
#include "store/arrow/writer.h"
#include "store/mapping.h"

namespace curia {
namespace {

constexpr std::string_view kRecordKey = "curia.object";
constexpr std::string_view kSealKey = "curia.hmac";
constexpr std::size_t kSealDigits = 64;
constexpr std::int64_t kMaxFooterBytes = std::int64_t{1} << 30;
// Written data is handed to the disk in steps, so that little is left to do at the end.
constexpr std::int64_t kSyncStep = std::int64_t{8} << 20;

std::span<const std::uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

[[noreturn]] void corrupt(const ObjectName& name, const std::string& why) {
  throw Error(Code::kCorrupt,
              "object " + name.str() + ": " + why + "; restore the file or remove the object");
}

// For people who open the file; the worker goes by the sealed record.
ArrowMetadata readable(const ObjectRecord& record) {
  ArrowMetadata metadata = {{"curia.type", record.meta.type.str()},
                            {"curia.label", record.meta.label->str()},
                            {"curia.lineage", record.meta.lineage.id.hex()},
                            {"curia.version", std::to_string(record.version)}};
  if (record.error) {
    metadata.emplace_back("curia.error", code_name(record.error->code()));
    return metadata;
  }
  if (record.type.is_tensor()) {
    std::string shape;
    for (const std::int64_t extent : record.type.tensor().shape) {
      shape += (shape.empty() ? "" : ",") + std::to_string(extent);
    }
    metadata.emplace_back("curia.shape", "[" + shape + "]");
  }
  return metadata;
}

// The pieces of a file in stretches of kChecksumBytes: each is summed, then written while it is in
// the cache.
class BodyWriter {
 public:
  BodyWriter(const WritePieces& write, FileSeal& seal, ObjectRecord& record)
      : write_(write), seal_(seal), record_(record) {}

  void add(const Slice& piece) {
    for (std::int64_t done = 0; done < piece.size;) {
      const std::int64_t part = std::min(kChecksumBytes - held_, piece.size - done);
      pieces_.push_back(
          {const_cast<std::uint8_t*>(piece.data + done), static_cast<std::size_t>(part)});
      held_ += part;
      done += part;
      if (held_ == kChecksumBytes) flush();
    }
  }
  void finish() {
    if (held_ > 0) flush();
  }

 private:
  void flush() {
    record_.checksums.push_back(
        seal_.checksum(static_cast<std::uint32_t>(record_.checksums.size()), joined()));
    for (std::size_t i = 0; i < pieces_.size(); i += kMostPieces) {
      const std::size_t count = std::min(kMostPieces, pieces_.size() - i);
      std::int64_t bytes = 0;
      for (std::size_t k = i; k < i + count; ++k) {
        bytes += static_cast<std::int64_t>(pieces_[k].iov_len);
      }
      write_(at_, pieces_.data() + i, static_cast<int>(count));
      at_ += bytes;
    }
    pieces_.clear();
    held_ = 0;
  }

  // One stretch in one piece, copied only where it is of several.
  std::span<const std::uint8_t> joined() {
    if (pieces_.size() == 1) {
      return {static_cast<const std::uint8_t*>(pieces_[0].iov_base), pieces_[0].iov_len};
    }
    copy_.clear();
    for (const iovec& piece : pieces_) {
      const auto* begin = static_cast<const std::uint8_t*>(piece.iov_base);
      copy_.insert(copy_.end(), begin, begin + piece.iov_len);
    }
    return copy_;
  }

  static constexpr std::size_t kMostPieces = 512;  // below the kernel's 1024

  const WritePieces& write_;
  FileSeal& seal_;
  ObjectRecord& record_;
  std::vector<iovec> pieces_;
  std::vector<std::uint8_t> copy_;
  std::int64_t held_ = 0;
  std::int64_t at_ = 0;
};

// A footer whose seal fits. Returns the layout and the record.
std::pair<ArrowFooter, ObjectRecord> open_footer(std::span<const std::uint8_t> bytes,
                                                 std::int64_t file_bytes, const StoreKey& key,
                                                 const ObjectName& name) {
  ArrowFooter footer = parse_arrow_footer(bytes);
  const std::string* text = find_arrow_metadata(footer.metadata, kRecordKey);
  const std::string* seal = find_arrow_metadata(footer.metadata, kSealKey);
  if (text == nullptr || seal == nullptr || seal->size() != kSealDigits) {
    corrupt(name, "the file was not written by a worker");
  }
  std::vector<std::uint8_t> blank(bytes.begin(), bytes.end());
  std::memset(blank.data() + arrow_metadata_offset(bytes, kSealKey), '0', kSealDigits);
  const std::string expected = footer_seal(key, blank).hex();
  // How many digits agree is no secret of somebody who has the file.
  if (expected != *seal) corrupt(name, "its seal is not this worker's, or the footer was changed");
  ObjectRecord record = decode_record(*text);
  if (record.key != name.key) {
    corrupt(name, "the file is that of " + std::string(name.root) + record.key);
  }
  if (record.body_bytes != file_bytes - std::ssize(bytes) - kArrowTailBytes) {
    corrupt(name, "the file has another size than when it was written");
  }
  return {std::move(footer), std::move(record)};
}

std::int64_t regular_file_bytes(int file, const ObjectName& name) {
  struct stat info {};
  if (::fstat(file, &info) != 0 || !S_ISREG(info.st_mode) || info.st_nlink != 1) {
    corrupt(name, "expected a regular file with one name");
  }
  if (info.st_size < kArrowTailBytes) corrupt(name, "the file was cut");
  return info.st_size;
}

// What was read of a foreign or damaged file is no error of the caller's.
template <class Work>
auto as_corrupt(const ObjectName& name, const Work& work) {
  try {
    return work();
  } catch (const Error& error) {
    if (error.code() != Code::kInvalid && error.code() != Code::kUnimplemented &&
        (error.code() != Code::kCorrupt || error.message().starts_with("object "))) {
      throw;
    }
    corrupt(name, error.message());
  }
}

}  // namespace

ObjectRecord write_object(const StoreKey& key, ObjectRecord record, const Value& value,
                          const WritePieces& write) {
  if (const auto* error = std::get_if<Error>(&value.form)) {
    record.error = *error;
  } else {
    record.type = value.type();
    if (value.is_share()) record.instance = value.share().instance;
  }
  record.salt = random_digest();
  const ArrowImage image = arrow_image(value, readable(record));
  record.body_bytes = image.bytes;
  FileSeal seal(key, record.salt);
  BodyWriter body(write, seal, record);
  for (const Slice& piece : image.pieces) body.add(piece);
  body.finish();
  std::string tail = arrow_footer(image, {{std::string(kRecordKey), encode_record(record)},
                                          {std::string(kSealKey), std::string(kSealDigits, '0')}});
  const auto footer = bytes_of(tail).first(tail.size() - kArrowTailBytes);
  tail.replace(arrow_metadata_offset(footer, kSealKey), kSealDigits,
               footer_seal(key, footer).hex());
  iovec piece{tail.data(), tail.size()};
  write(image.bytes, &piece, 1);
  return record;
}

ObjectRecord write_object(Disk& disk, int file, const StoreKey& key, ObjectRecord record,
                          const Value& value) {
  std::int64_t begun = 0;  // to sync
  record = write_object(key, std::move(record), value,
                        [&](std::int64_t offset, iovec* pieces, int count) {
                          std::int64_t end = offset;
                          for (int i = 0; i < count; ++i)
                            end += static_cast<std::int64_t>(pieces[i].iov_len);
                          write_all(disk, file, offset, pieces, count, "cannot write an object");
                          if (end - begun < kSyncStep) return;
                          disk.begin_sync(file, begun, end - begun);
                          begun = end;
                        });
  if (const int error = disk.sync_data(file); error < 0) {
    throw_disk_error("cannot write an object", -error);
  }
  return record;
}

ObjectRecord read_record(const ObjectBytes& bytes, const StoreKey& key, const ObjectName& name) {
  return as_corrupt(name, [&] {
    if (bytes.size < kArrowTailBytes) corrupt(name, "the file was cut");
    std::vector<std::uint8_t> tail(kArrowTailBytes);
    bytes.read(tail.data(), kArrowTailBytes, bytes.size - kArrowTailBytes);
    const std::int64_t size = arrow_footer_bytes(tail, bytes.size);
    if (size > kMaxFooterBytes) corrupt(name, "a footer of more than 1 GiB");
    std::vector<std::uint8_t> footer(static_cast<std::size_t>(size));
    bytes.read(footer.data(), size, bytes.size - kArrowTailBytes - size);
    return open_footer(footer, bytes.size, key, name).second;
  });
}

ObjectRecord read_record(Disk& disk, int file, const StoreKey& key, const ObjectName& name) {
  const auto read = [&](std::uint8_t* to, std::int64_t bytes, std::int64_t offset) {
    read_all(disk, file, to, bytes, offset, "reading");
  };
  return read_record({regular_file_bytes(file, name), read}, key, name);
}

MappedObject map_object(int file, const StoreKey& key, const ObjectName& name) {
  return as_corrupt(name, [&]() -> MappedObject {
    const std::int64_t size = regular_file_bytes(file, name);
    const std::shared_ptr<const Mapping> mapping = Mapping::of(file, size);
    const auto part = [&](std::int64_t offset, std::int64_t bytes) {
      if (!mapping->load(offset, bytes)) corrupt(name, "the file cannot be read");
      return std::span(mapping->data() + offset, static_cast<std::size_t>(bytes));
    };
    const std::int64_t bytes =
        arrow_footer_bytes(part(size - kArrowTailBytes, kArrowTailBytes), size);
    auto [footer, record] =
        open_footer(part(size - kArrowTailBytes - bytes, bytes), size, key, name);
    const std::int64_t sums = (record.body_bytes + kChecksumBytes - 1) / kChecksumBytes;
    if (sums != std::ssize(record.checksums)) corrupt(name, "another number of checksums");
    FileSeal seal(key, record.salt);
    for (std::int64_t i = 0; i < sums; ++i) {
      const std::int64_t at = i * kChecksumBytes;
      const auto stretch = part(at, std::min(kChecksumBytes, record.body_bytes - at));
      if (seal.checksum(static_cast<std::uint32_t>(i), stretch) !=
          record.checksums[static_cast<std::size_t>(i)]) {
        corrupt(name, "its bytes are not what was written, in MiB " + std::to_string(i));
      }
    }
    ValuePtr value;
    if (record.error) {
      value = std::make_shared<const Value>(*record.error);
    } else {
      const Slice whole(mapping, mapping->data(), size);
      value =
          std::make_shared<const Value>(arrow_value(whole, footer, record.type, record.instance));
    }
    if (mapping->faulted()) corrupt(name, "the file cannot be read");
    return {std::move(record), std::move(value)};
  });
}

}  // namespace curia
