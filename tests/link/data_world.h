// Data links of one process that reach one another over loopback, for tests.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "protocol/link/data_link.h"
#include "tests/link/link_contract.h"
#include "tests/support/eventually.h"

namespace curia::test {

class DataWorld : public LinkWorld {
 public:
  // Changes the options of a party before its link is made.
  using Tune = std::function<void(DataLinkOptions&)>;
  // Where `from` is to connect to reach `to`, whose own port is `port`. Must not call back.
  using Route = std::function<int(const std::string& from, const std::string& to, int port)>;

  explicit DataWorld(Tune tune = {}, Route route = {});
  ~DataWorld() override;

  DataLink& link(const std::string& party) override;
  // The party's process ends without a word / is started again.
  void kill(const std::string& party);
  void start(const std::string& party);
  // While false, nobody dials.
  void allow_dials(bool on);

  // The key exchange and the dial, done now.
  void dial(const std::string& from, const std::string& to);

 private:
  void on_need_dial(const std::string& from, const std::string& to);
  void dial_locked(const std::string& from, const std::string& to);

  const Tune tune_;
  const Route route_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<DataLink>> links_;
  bool dials_allowed_ = true;
};

}  // namespace curia::test
