// The cluster that the hostile driver attacks: alice, bob, carol and dan, each a real worker.
//
// alice is honest, and careful: her data is granted narrowly, so many times, to one party, for
// shares only, by a signed approval, or not at all. bob and carol are members of the secure device
// abc, with data of bob's. dan has data that alice may see, and takes part in nothing. The drivers
// are dora, whom the grants name, and mallory, whom none names; both are hostile.
// Thread: one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "driver/program.h"
#include "driver/session.h"
#include "protocol/audit_record.h"
#include "protocol/signature.h"
#include "tests/support/eventually.h"
#include "tests/support/process_cluster.h"
#include "tests/support/temporary_folder.h"

namespace curia {

inline const std::vector<std::string> kAbc = {"alice", "bob", "carol"};
inline constexpr std::chrono::seconds kPatience{20};

// What alice's datasets hold. All are tables of five rows with the column v of i64.
//   secret    granted to nobody
//   pay       its sum to dora, by one program
//   board     to bob
//   secure    to be shared on abc; the sum of its product with bob's x to carol and dora
//   side0/1   to be shared on abc, to bob, and to dora and carol by one program of branches and
//             turns; they differ in their cells only
//   expired   was granted to dora
//   once_*    to dora, once
//   noisy_*   to dora, with differential privacy, for epsilon 1
//   bound, other   by approvals only
inline const std::vector<std::int64_t> kCanaries = {0x05ca1ab1e0ddba11, 0x0716253443526170,
                                                    0x03c0ffee15dead77, 0x06a5b4c3d2e1f00d,
                                                    0x0412f7b30f2a99c1};
inline const std::vector<std::int64_t> kSecure = {911'382'323, 972'663'749, 644'245'093,
                                                  829'348'279, 533'000'389};
inline const std::vector<std::int64_t> kPay = {31'337, 4'242, 77'001, 58'123, 12'345};
inline const std::vector<std::int64_t> kBobs = {2, 3, 5, 7, 11};

inline DatasetInfo of_alice(const std::string& name) {
  return {name, parse_type("table[5]{v:i64} @alice")};
}
inline DatasetInfo of(const std::string& party, const std::string& name) {
  return {name, parse_type("table[5]{v:i64} @" + party)};
}
inline Array rows_of(Program& program, const std::string& name,
                     const std::string& party = "alice") {
  return program.dataset(of(party, name)).column("v");
}

class World {
 public:
  // unprotected: with a policy that grants everything.
  explicit World(bool unprotected);

  ProcessCluster& cluster() { return *cluster_; }
  const ProcessCluster& cluster() const { return *cluster_; }
  bool unprotected() const { return unprotected_; }

  // What dora is granted still works; else an error says what does not.
  void check_honest();

  std::vector<AuditRecord> audit(const std::string& party) const;
  std::int64_t records(const std::string& party, AuditKind kind) const;

  // alice's approvals.
  const std::string& approvals_folder() const { return approvals_.path(); }
  const SigningKey& approver() const { return approver_; }
  // Has alice read her policy again; true where she takes it.
  bool reload();
  void restart(const std::string& party, bool kill = false);

 private:
  const bool unprotected_;
  const TemporaryFolder approvals_;
  SigningKey approver_ = SigningKey::generate();
  std::unique_ptr<ProcessCluster> cluster_;
};

// The programs that alice's narrow grants name.
PreparedPtr granted_sum();
PreparedPtr granted_product();
// bob takes part in as many turns as the first cell of one of alice's sides says, or five.
PreparedPtr granted_turns(const std::string& side);

}  // namespace curia
