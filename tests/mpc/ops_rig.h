// Ops of a secure device run by three members, with what they sent checked against the cost rules.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "protocol/digest.h"
#include "tests/mpc/rig.h"
#include "worker/mpc/kernel.h"

namespace curia::test {

// An operand in the clear, and as what it is shared; without a type it is public.
struct Operand {
  Tensor clear;
  std::optional<SecretType> type;
};

Operand ints(Shape shape, const std::vector<std::int64_t>& values);
Operand reals(Shape shape, const std::vector<double>& values, int fraction_bits = 18);
Operand bools(Shape shape, const std::vector<bool>& values);
Operand known(Operand operand);  // the same, public

Tensor bool_tensor(Shape shape, const std::vector<bool>& values);

using Attrs = std::map<std::string, Attr>;

// The op's result, put together again. Checks rounds, bytes and messages.
Tensor run_op(const std::string& name, const std::vector<Operand>& operands,
              const SecretType& result, const Attrs& attrs = {});
MpcCost cost_of(const std::string& name, const std::vector<Operand>& operands,
                const SecretType& result, const Attrs& attrs = {});

// All that the members of a hub send from now on, each lane in its order. REQUIRES: nothing
// is sent after it is gone.
class Recording {
 public:
  explicit Recording(Hub& hub);
  Recording(const Recording&) = delete;
  Digest digest() const;

 private:
  std::string lanes_[3][3];
};

// What the members send for an op on fixed seeds and shares.
Digest transcript(const std::string& name, const std::vector<Operand>& operands,
                  const SecretType& result, const Attrs& attrs = {});

std::vector<double> doubles(const Tensor& tensor);  // of any kind

SecretType int_type(Shape shape);
SecretType fixed_type(Shape shape, int fraction_bits = 18);
SecretType bool_type(Shape shape);

}  // namespace curia::test
