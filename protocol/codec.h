// The bounded Cereal archives of the wire. Never feed network bytes to a stock Cereal archive: it
// turns 16 bytes into 4 GiB. Here every size is checked against the bytes that are left, memory
// grows only as elements are decoded, booleans are 0 or 1, and trailing bytes are refused.
//
// Numbers are little-endian of fixed width; sizes are u32. There are no pointers and no
// polymorphism. Include this only in .cc files that define or decode messages.
#pragma once

#include <array>
#include <bit>
#include <cereal/cereal.hpp>
#include <cereal/types/common.hpp>
#include <cstdint>
#include <cstring>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "protocol/digest.h"
#include "protocol/error.h"
#include "protocol/interval.h"
#include "protocol/label.h"
#include "protocol/lineage.h"
#include "protocol/privacy.h"
#include "protocol/type.h"

namespace curia {

static_assert(std::endian::native == std::endian::little, "the wire format is little-endian");

class WireWriter : public cereal::OutputArchive<WireWriter, cereal::AllowEmptyClassElision> {
 public:
  explicit WireWriter(std::string& out) : OutputArchive(this), out_(out) {}
  void bytes(const void* data, std::size_t size) {
    out_.append(static_cast<const char*>(data), size);
  }
  void size(std::size_t count) {
    expect(count <= UINT32_MAX, "a list is too long for the wire");
    const auto number = static_cast<std::uint32_t>(count);
    bytes(&number, sizeof(number));
  }

 private:
  std::string& out_;
};

class WireReader : public cereal::InputArchive<WireReader, cereal::AllowEmptyClassElision> {
 public:
  explicit WireReader(std::string_view in) : InputArchive(this), in_(in) {}

  void bytes(void* data, std::size_t size) {
    if (size > left()) refuse("a field reaches beyond the message");
    std::memcpy(data, in_.data() + at_, size);
    at_ += size;
  }
  // A count of elements that take at least `least` bytes each.
  std::size_t size(std::size_t least) {
    std::uint32_t count = 0;
    bytes(&count, sizeof(count));
    if (count > left() / least) refuse("a size is larger than the message");
    return count;
  }
  std::string_view view(std::size_t size) {
    if (size > left()) refuse("a field reaches beyond the message");
    const std::string_view piece = in_.substr(at_, size);
    at_ += size;
    return piece;
  }
  std::size_t left() const { return in_.size() - at_; }
  void finish() const {
    if (left() != 0) refuse("there are bytes after the end");
  }
  [[noreturn]] static void refuse(const char* why) {
    throw Error(Code::kInvalid, std::string("malformed message: ") + why);
  }

 private:
  std::string_view in_;
  std::size_t at_ = 0;
};

template <class T>
concept WireNumber = std::is_arithmetic_v<T> && !std::is_same_v<T, bool>;

template <WireNumber T>
void CEREAL_SAVE_FUNCTION_NAME(WireWriter& ar, const T& number) {
  ar.bytes(&number, sizeof(T));
}
template <WireNumber T>
void CEREAL_LOAD_FUNCTION_NAME(WireReader& ar, T& number) {
  ar.bytes(&number, sizeof(T));
}

inline void CEREAL_SAVE_FUNCTION_NAME(WireWriter& ar, const bool& flag) {
  const std::uint8_t byte = flag ? 1 : 0;
  ar.bytes(&byte, 1);
}
inline void CEREAL_LOAD_FUNCTION_NAME(WireReader& ar, bool& flag) {
  std::uint8_t byte = 0;
  ar.bytes(&byte, 1);
  if (byte > 1) WireReader::refuse("a boolean is neither 0 nor 1");
  flag = byte == 1;
}

inline void CEREAL_SAVE_FUNCTION_NAME(WireWriter& ar, const std::string& text) {
  ar.size(text.size());
  ar.bytes(text.data(), text.size());
}
inline void CEREAL_LOAD_FUNCTION_NAME(WireReader& ar, std::string& text) {
  text = ar.view(ar.size(1));
}

template <std::size_t N>
void CEREAL_SAVE_FUNCTION_NAME(WireWriter& ar, const std::array<std::uint8_t, N>& raw) {
  ar.bytes(raw.data(), N);
}
template <std::size_t N>
void CEREAL_LOAD_FUNCTION_NAME(WireReader& ar, std::array<std::uint8_t, N>& raw) {
  ar.bytes(raw.data(), N);
}

template <class T>
void CEREAL_SAVE_FUNCTION_NAME(WireWriter& ar, const std::vector<T>& list) {
  ar.size(list.size());
  for (const T& item : list) ar(item);
}
template <class T>
void CEREAL_LOAD_FUNCTION_NAME(WireReader& ar, std::vector<T>& list) {
  list.clear();
  for (std::size_t count = ar.size(1); count > 0; --count) ar(list.emplace_back());
}

template <class T>
void CEREAL_SAVE_FUNCTION_NAME(WireWriter& ar, const std::optional<T>& maybe) {
  ar(maybe.has_value());
  if (maybe) ar(*maybe);
}
template <class T>
void CEREAL_LOAD_FUNCTION_NAME(WireReader& ar, std::optional<T>& maybe) {
  bool present = false;
  ar(present);
  maybe.reset();
  if (present) ar(maybe.emplace());
}

inline void CEREAL_SAVE_FUNCTION_NAME(WireWriter& ar, const Digest& digest) { ar(digest.bytes); }
inline void CEREAL_LOAD_FUNCTION_NAME(WireReader& ar, Digest& digest) { ar(digest.bytes); }

// A type travels in its one text form, and comes back through its parser.
inline void CEREAL_SAVE_FUNCTION_NAME(WireWriter& ar, const Type& type) { ar(type.str()); }
inline void CEREAL_LOAD_FUNCTION_NAME(WireReader& ar, Type& type) {
  const std::string_view text = ar.view(ar.size(1));
  type = parse_type(text);
  if (type.str() != text) WireReader::refuse("a type is not in its canonical spelling");
}

inline void CEREAL_SAVE_FUNCTION_NAME(WireWriter& ar, const Ranges& ranges) {
  ar.size(ranges.size());
  for (const auto& [column, range] : ranges) ar(column, range.low, range.high);
}
inline void CEREAL_LOAD_FUNCTION_NAME(WireReader& ar, Ranges& ranges) {
  ranges.clear();
  for (std::size_t count = ar.size(20); count > 0; --count) {
    std::string column;
    Interval range;
    ar(column, range.low, range.high);
    if (!ranges.empty() && column <= ranges.rbegin()->first) {
      WireReader::refuse("the columns of ranges are not in order");
    }
    ranges.emplace_hint(ranges.end(), std::move(column), range);
  }
}

template <class Archive>
void CEREAL_SERIALIZE_FUNCTION_NAME(Archive& ar, Site& site) {
  ar(site.file, site.line);
}

// What one release may cost.
inline bool is_charge(const Charge& charge) {
  return charge.epsilon >= kMinEpsilon && charge.epsilon <= kMaxEpsilon && charge.delta >= 0 &&
         charge.delta < 1;
}

inline void CEREAL_SAVE_FUNCTION_NAME(WireWriter& ar, const Charges& charges) {
  ar.size(charges.size());
  for (const auto& [id, charge] : charges) ar(id, charge.epsilon, charge.delta);
}
inline void CEREAL_LOAD_FUNCTION_NAME(WireReader& ar, Charges& charges) {
  charges.clear();
  const std::size_t count = ar.size(48);
  if (count > kMaxLabelCharges) WireReader::refuse("there are too many charges");
  for (std::size_t left = count; left > 0; --left) {
    Digest id;
    Charge charge;
    ar(id, charge.epsilon, charge.delta);
    if (!charges.empty() && id <= charges.rbegin()->first) {
      WireReader::refuse("charges are not in order");
    }
    if (!is_charge(charge)) WireReader::refuse("a charge is out of its limits");
    charges.emplace_hint(charges.end(), id, charge);
  }
}

// After each source: whether the value is private for it, and its charges.
inline void CEREAL_SAVE_FUNCTION_NAME(WireWriter& ar, const Label& label) {
  ar.size(label.sources.size());
  for (const auto& [source, programs] : label.sources) {
    ar(source.owner, source.name);
    ar.size(programs.size());
    for (const Digest& program : programs) ar(program);
    const auto charges = label.charges.find(source);
    ar(label.released.contains(source));
    ar(charges == label.charges.end() ? Charges{} : charges->second);
  }
}
inline void CEREAL_LOAD_FUNCTION_NAME(WireReader& ar, Label& label) {
  label = {};
  for (std::size_t count = ar.size(17); count > 0; --count) {
    Source source;
    ar(source.owner, source.name);
    std::set<Digest> programs;
    for (std::size_t left = ar.size(32); left > 0; --left) {
      Digest program;
      ar(program);
      if (!programs.empty() && program <= *programs.rbegin()) {
        WireReader::refuse("the programs of a label are not in order");
      }
      programs.insert(programs.end(), program);
    }
    if (!label.sources.empty() && source <= label.sources.rbegin()->first) {
      WireReader::refuse("the sources of a label are not in order");
    }
    bool released = false;
    Charges charges;
    ar(released, charges);
    if (released && charges.empty()) WireReader::refuse("a private value has no charge");
    if (released) label.released.insert(source);
    if (!charges.empty()) label.charges.emplace(source, std::move(charges));
    label.sources.emplace_hint(label.sources.end(), std::move(source), std::move(programs));
  }
  if (static_cast<std::int64_t>(label.sources.size()) > kMaxLabelSources) {
    WireReader::refuse("a label has too many sources");
  }
}

inline void CEREAL_SAVE_FUNCTION_NAME(WireWriter& ar, const Lineage& lineage) {
  ar(lineage.id, lineage.pattern, lineage.bound);
  ar.size(lineage.draws.size());
  for (const auto& [variable, instance] : lineage.draws) ar(variable, instance);
}
inline void CEREAL_LOAD_FUNCTION_NAME(WireReader& ar, Lineage& lineage) {
  lineage.draws.clear();
  ar(lineage.id, lineage.pattern, lineage.bound);
  const std::size_t count = ar.size(64);
  if (count > kMaxDraws || (count > 0 && !lineage.bound)) {
    WireReader::refuse("a lineage has too many instances");
  }
  for (std::size_t left = count; left > 0; --left) {
    Digest variable;
    Digest instance;
    ar(variable, instance);
    if (!lineage.draws.empty() && variable <= lineage.draws.rbegin()->first) {
      WireReader::refuse("the instances of a lineage are not in order");
    }
    lineage.draws.emplace_hint(lineage.draws.end(), variable, instance);
  }
}

}  // namespace curia
