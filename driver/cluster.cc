#include "driver/cluster.h"

#include <cstdlib>

#include "protocol/fields.h"
#include "protocol/link/data_dialer.h"
#include "protocol/link/keys.h"
#include "protocol/link/zmq_control.h"

namespace curia {

ClusterConfig read_cluster_config(const std::string& path) {
  Fields fields = Fields::of_file(path);
  ClusterConfig config;
  config.driver = fields.text("driver");
  config.key_file = beside(path, fields.text("key_file"));
  if (fields.has("local_store")) config.local_store = beside(path, fields.text("local_store"));
  for (auto& [name, party] : fields.objects_or_none("parties")) {
    ClusterConfig::Party known;
    known.control = party.text("control");
    if (known.control.rfind(':') == std::string::npos) {
      party.fail("control", "expected \"host:port\", such as \"127.0.0.1:7001\"");
    }
    known.key = party.text("key");
    party.checked("key", [&] {
      check_name(name, "party");
      check_key(known.key, "public key");
    });
    party.finish();
    config.parties.emplace(name, std::move(known));
  }
  if (config.parties.empty()) fields.fail("parties", "expected at least one party");
  fields.finish();
  return config;
}

Wiring wire(const ClusterConfig& config) {
  Wiring wiring;
  wiring.driver = config.driver;
  for (const auto& [name, party] : config.parties) {
    wiring.workers[name] = {"tcp://" + party.control, party.key,
                            party.control.substr(0, party.control.rfind(':'))};
  }
  wiring.control =
      std::make_shared<ZmqControlClient>(ZmqClientOptions{.keys = load_keys(config.key_file)});
  // A link with the dialer that belongs to it.
  struct Dialing {
    explicit Dialing(DataLinkOptions options) : link(std::move(options)), dialer(link) {}
    DataLink link;
    DataDialer dialer;
  };
  wiring.make_link = [](const std::string& self) {
    DataLinkOptions options;
    options.self = self;
    options.port = -1;
    options.dials = [](const std::string&) { return true; };
    options.on_need_dial = [](const std::string&) {};
    auto both = std::make_shared<Dialing>(std::move(options));
    return SessionLink{std::shared_ptr<Link>(both, &both->link), &both->dialer};
  };
  return wiring;
}

Session connect(const std::string& cluster_file, const ConnectionOptions& options) {
  ConnectionOptions chosen = options;
  const char* plan = std::getenv("CURIA_PLAN_RELEASES");
  if (plan != nullptr && chosen.plan_file.empty()) chosen.plan_file = plan;
  return Session(wire(read_cluster_config(cluster_file)), chosen);
}

}  // namespace curia
