// A reference to an object at a party: data, not a right. It can be printed, saved and sent; the
// bytes come only by fetch, and only where the owners agreed.
//
// A Ref that Session::run() or put() gave is strong: when its last copy goes, the object is
// released, batched and asynchronously. One that came from parse() is weak and keeps nothing alive.
// Thread: any.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/device.h"
#include "protocol/error.h"
#include "protocol/interval.h"
#include "protocol/link/link.h"
#include "protocol/type.h"
#include "protocol/uri.h"

namespace curia {

struct ValueHandle;  // recipes.h

struct RefFacts {
  Uri uri;
  Type type;            // with its device; may hold `?`
  std::string session;  // hex, of the session that owns it
  std::uint64_t task = 0;
  std::string program;  // digest of the creating program, hex; "" for puts
  std::string output;
  Site site;              // line of the driver program that asked for it
  SecureDevice device{};  // of a secret; no members for every other value
  Ranges ranges{};        // of a secret, as its program allows; empty: unknown
};

class Ref {
 public:
  Ref() = default;
  // `handle`: lets the object go with the last copy; null for a weak one.
  Ref(RefFacts facts, std::shared_ptr<const ValueHandle> handle);

  bool empty() const { return facts_ == nullptr; }
  // REQUIRES: not empty (checked).
  const RefFacts& facts() const;
  const Uri& uri() const { return facts().uri; }
  const Type& type() const { return facts().type; }
  const std::string& party() const { return facts().type.device; }  // or secure device
  // Who holds it: the party, or the members of the device in the order of their ranks.
  std::vector<std::string> parties() const;

  // The same, which keeps nothing alive.
  Ref weak() const;
  // For Session. Null where it is weak.
  const std::shared_ptr<const ValueHandle>& handle() const { return handle_; }

  // "mem://… f64[4] @alice, output means of task 3 (iris_means.cc:31)"
  std::string str() const;
  // One line of JSON, and back (weak). Errors: kInvalid, naming the field.
  std::string json() const;
  static Ref parse(std::string_view json);

 private:
  std::shared_ptr<const RefFacts> facts_;
  std::shared_ptr<const ValueHandle> handle_;
};

}  // namespace curia
