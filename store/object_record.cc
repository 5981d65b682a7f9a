#include "store/object_record.h"

#include <utility>

#include "protocol/codec.h"
#include "protocol/hex.h"

namespace curia {
namespace {

constexpr std::uint16_t kRecordFormat = 3;

struct StoredError {
  std::uint8_t code = 0;  // 0: none
  std::string message;
  std::string party;
  std::string op;
  Site site;
};

template <class Archive>
void CEREAL_SERIALIZE_FUNCTION_NAME(Archive& ar, StoredError& error) {
  ar(error.code, error.message, error.party, error.op, error.site);
}

// One place for the order of the fields, in both directions. The label and the error stand beside
// the record, which holds them by pointer and as an exception.
template <class Archive>
void fields(Archive& ar, ObjectRecord& record, Label& label, StoredError& error) {
  ObjectMeta& meta = record.meta;
  auto version = static_cast<std::uint64_t>(record.version);
  auto bytes = static_cast<std::uint64_t>(record.bytes);
  auto body = static_cast<std::uint64_t>(record.body_bytes);
  ar(record.key, version, record.sequence, meta.type, label, meta.lineage, meta.principal,
     meta.session, meta.task, meta.program, meta.output, meta.device.name, meta.device.protocol,
     meta.device.members, meta.hidden, record.type, record.instance, error, bytes, record.salt,
     body, record.checksums);
  record.version = static_cast<std::int64_t>(version);
  record.bytes = static_cast<std::int64_t>(bytes);
  record.body_bytes = static_cast<std::int64_t>(body);
}

}  // namespace

std::string encode_record(const ObjectRecord& record) {
  std::string bytes;
  WireWriter writer(bytes);
  writer(kRecordFormat);
  ObjectRecord copy = record;
  Label label = *record.meta.label;
  StoredError error;
  if (record.error) {
    error = StoredError{static_cast<std::uint8_t>(record.error->code()), record.error->message(),
                        record.error->party(), record.error->op(), record.error->site()};
  }
  fields(writer, copy, label, error);
  return hex_of(bytes);
}

ObjectRecord decode_record(std::string_view hex) {
  ObjectRecord record;
  try {
    const std::string bytes = bytes_of_hex(hex);
    WireReader reader(bytes);
    std::uint16_t format = 0;
    reader(format);
    if (format != kRecordFormat) {
      throw Error(Code::kVersion, "this build reads objects of format " +
                                      std::to_string(kRecordFormat) + ", found format " +
                                      std::to_string(format));
    }
    auto label = std::make_shared<Label>();
    StoredError error;
    fields(reader, record, *label, error);
    reader.finish();
    record.meta.label = std::move(label);
    if (error.code != 0) {
      record.error = Error(static_cast<Code>(error.code), error.message)
                         .at_party(error.party)
                         .at_op(error.op, error.site);
    }
  } catch (const Error& error) {
    if (error.code() != Code::kInvalid) throw;
    throw Error(Code::kCorrupt, error.message());
  }
  if (record.version < 1 || record.bytes < 0 || record.body_bytes < 0) {
    throw Error(Code::kCorrupt, "a negative size or version");
  }
  return record;
}

}  // namespace curia
