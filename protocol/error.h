// The one error type of Curia. The same value is thrown inside a process and crosses the wire, so a
// driver sees exactly what a worker saw.
//
// Invariant: neither message nor what() ever holds a cell value, a share or a key.
#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>

namespace curia {

// What the caller can do about it. The numbers are part of the wire format.
enum class Code : std::uint8_t {
  kFailed = 1,          // the work itself failed; the same request will fail again
  kInvalid = 2,         // the request, graph, URI or configuration is wrong; mend it
  kNotFound = 3,        // no such object, dataset, session or program for this caller
  kDenied = 4,          // an owner has not agreed; ask the owner for a grant
  kImmutable = 5,       // the object exists; choose another URI
  kQuota = 6,           // a limit of memory or count would be passed; release something
  kCorrupt = 7,         // stored or received bytes are not what was written
  kStaleEpoch = 8,      // the worker was restarted since; open a new session
  kSessionOver = 9,     // the lease ended, or another process resumed the session
  kWorkerLost = 10,     // the driver cannot reach a worker
  kPeerLost = 11,       // a worker cannot reach another worker
  kTimeout = 12,        // a deadline passed; the message says who waited for whom
  kCancelled = 13,      // the caller cancelled it
  kOverloaded = 14,     // too much at once; try again later
  kUnimplemented = 15,  // this build or peer cannot do it
  kVersion = 16,        // versions or required features do not match
};

// "DENIED", "NOT_FOUND", ... as printed and as used in JSON; "CODE_<n>" for an unknown number.
std::string code_name(Code code);

// A line of the driver program. Empty file: unknown.
struct Site {
  std::string file;
  std::int32_t line = 0;
  bool operator==(const Site&) const = default;
  // "iris_means.cc:31", with the directory cut off; "" where unknown.
  std::string str() const;
};

class Error : public std::exception {
 public:
  Error(Code code, std::string message);

  // Copies with one more fact; a fact that is already known is kept, so the innermost place wins.
  Error at_party(std::string_view party) const;
  Error at_op(std::string_view op, const Site& site) const;

  Code code() const { return code_; }
  const std::string& message() const { return message_; }
  const std::string& party() const { return party_; }
  const std::string& op() const { return op_; }
  const Site& site() const { return site_; }

  // "DENIED at alice, op sum (iris_means.cc:31): <message>"
  const char* what() const noexcept override { return what_.c_str(); }

 private:
  void format();

  Code code_;
  std::string message_;
  std::string party_;
  std::string op_;
  Site site_;
  std::string what_;
};

// Contract check, on in every build: throws Error(kInvalid, message) when `ok` is false.
inline void expect(bool ok, std::string_view message) {
  if (!ok) throw Error(Code::kInvalid, std::string(message));
}

}  // namespace curia
