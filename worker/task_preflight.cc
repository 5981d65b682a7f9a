// Before the first byte of data leaves: the parties of a task agree on what it is, and members of
// secure devices on their seeds.
#include <algorithm>
#include <utility>

#include "worker/preflight.h"
#include "worker/seeds.h"
#include "worker/task.h"

namespace curia {
namespace {

constexpr std::uint32_t kPreflightOp = UINT32_MAX;

bool share_a_device(const Graph& graph, const std::string& a, const std::string& b) {
  return std::ranges::any_of(
      graph.devices, [&](const SecureDevice& device) { return device.has(a) && device.has(b); });
}

}  // namespace

bool Task::here(const External& external) const {
  return std::ranges::find(external.holders, parts_.party) != external.holders.end();
}

Digest Task::check_share(const External& external, const Object& object) const {
  const SecureDevice& wanted = *find_device(plan_.graph.devices, external.place);
  if (object.meta->device != wanted) {
    throw Error(Code::kInvalid, "\"" + external.name + "\" is shared on " +
                                    object.meta->device.name + " = " + object.meta->device.str() +
                                    ", the program's device is " + wanted.name + " = " +
                                    wanted.str() + "; name the same members in the same order");
  }
  return object.value->share().instance;
}

void Task::preflight() {
  Preflight mine;
  mine.program = plan_.digest;
  mine.driver = info_.driver;
  mine.epoch = parts_.epoch;
  mine.nonce = random_digest();
  if (parts_.audit != nullptr) mine.head = parts_.audit->head();
  for (std::uint32_t i = 0; i < plan_.outside.size(); ++i) {
    if (here(plan_.outside[i]))
      mine.inputs.push_back({i, lineages_[i], *labels_[i], instances_[i]});
  }
  const Tag tag{info_.task, kPreflightOp, 0};
  std::map<std::string, Digest> pair_secrets;
  for (const std::string& peer : plan_.others) {
    if (share_a_device(plan_.graph, parts_.party, peer)) pair_secrets[peer] = random_digest();
    mine.pair_secret = pair_secrets[peer];
    send(peer, tag, Slice(), {Slice::copy_of(encode_preflight(mine))});
  }

  std::map<std::string, Preflight> all{{parts_.party, mine}};
  for (const std::string& peer : plan_.others) {
    const Message message = recv(peer, tag, kMaxPreflightBytes, "preflight", nullptr);
    const Preflight& theirs = all[peer] =
        decode_preflight({reinterpret_cast<const char*>(message.body.data),
                          static_cast<std::size_t>(message.body.size)});
    if (parts_.audit != nullptr) parts_.audit->saw(peer, theirs.head);
    if (theirs.program != plan_.digest) {
      note_different(peer, theirs.program);
      throw Error(Code::kDenied, "the driver gave " + peer + " another program (" +
                                     theirs.program.hex().substr(0, 16) + ") than " + parts_.party +
                                     " (" + plan_.digest.hex().substr(0, 16) + ")");
    }
    if (theirs.driver != info_.driver) {
      throw Error(Code::kDenied, peer + " runs this task for another driver");
    }
  }
  take_inputs(all);
  Hasher hasher("curia instance 1");
  hasher.add(plan_.digest);
  hasher.add(info_.task);
  for (const auto& [party, stated] : all) {
    hasher.add(party);
    hasher.add(stated.nonce);
  }
  instance_ = hasher.finish();
  join_devices(all, pair_secrets);
}

void Task::note_different(const std::string& peer, const Digest& theirs) const {
  if (parts_.audit == nullptr) return;
  AuditRecord record;
  record.kind = AuditKind::kDifferentPrograms;
  record.principal = info_.driver;
  record.session = session_hex(info_.session);
  record.task = info_.task;
  record.fields = {{"program", plan_.digest.hex()}, {"peer", peer}, {"theirs", theirs.hex()}};
  parts_.audit->note(std::move(record));
}

// Every holder states the inputs it holds; of a secret all members do, and the same.
void Task::take_inputs(const std::map<std::string, Preflight>& all) {
  std::map<std::string, std::size_t> next;
  std::vector<const PreflightInput*> known(plan_.outside.size());
  std::vector<const std::string*> from(plan_.outside.size());
  for (const auto& [party, stated] : all) {
    for (const PreflightInput& input : stated.inputs) {
      const std::uint32_t i = input.outside;
      const auto& holders =
          i < plan_.outside.size() ? plan_.outside[i].holders : std::vector<std::string>{};
      if (std::ranges::find(holders, party) == holders.end()) {
        throw Error(Code::kDenied, party + " stated inputs that it does not hold");
      }
      if (known[i] == nullptr) {
        known[i] = &input;
        from[i] = &party;
        labels_[i] = std::make_shared<Label>(input.label);
        lineages_[i] = input.lineage;
        continue;
      }
      const PreflightInput& other = *known[i];
      if (input.lineage == other.lineage && input.instance == other.instance &&
          input.label == other.label) {
        continue;
      }
      throw Error(Code::kInvalid,
                  "input \"" + plan_.outside[i].name + "\" on " + plan_.outside[i].place + ": " +
                      *from[i] + " and " + party + " hold shares of " +
                      (input.lineage == other.lineage ? "different runs of one program"
                                                      : "different values") +
                      ", which do not fit together; name one reference at all members");
    }
  }
  for (const auto& [party, stated] : all) {
    std::vector<std::uint32_t> wanted;
    for (std::uint32_t i = 0; i < plan_.outside.size(); ++i) {
      const auto& holders = plan_.outside[i].holders;
      if (std::ranges::find(holders, party) != holders.end()) wanted.push_back(i);
    }
    if (!std::ranges::equal(wanted, stated.inputs, {}, {}, &PreflightInput::outside)) {
      throw Error(Code::kDenied, party + " did not state the inputs that it holds");
    }
  }
}

void Task::join_devices(const std::map<std::string, Preflight>& all,
                        const std::map<std::string, Digest>& pair_secrets) {
  std::vector<Digest> lineages;
  for (const Lineage& lineage : lineages_) lineages.push_back(lineage.id);
  const SeedTask task{info_.driver, session_hex(info_.session), info_.task, plan_.digest,
                      instance_,    std::move(lineages)};
  for (const SecureDevice& device : plan_.graph.devices) {
    const int rank = device.rank_of(parts_.party);
    if (rank < 0 || !plan_.uses(device)) continue;
    const auto peer = [&](int step) -> const std::string& {
      return device.members[static_cast<std::size_t>((rank + step) % kMpcMembers)];
    };
    const auto theirs = [&](const std::string& name) {
      const Preflight& stated = all.at(name);
      if (stated.pair_secret.empty()) {
        throw Error(Code::kDenied, name + " gave no secret for the seeds on " + device.name);
      }
      return SeedPart{stated.pair_secret, stated.nonce, stated.epoch};
    };
    const auto mine = [&](const std::string& name) {
      const Preflight& stated = all.at(parts_.party);
      return SeedPart{pair_secrets.at(name), stated.nonce, stated.epoch};
    };
    MpcSeeds seeds;
    seeds.next = pair_seed(task, device, rank, mine(peer(1)), theirs(peer(1)));
    seeds.previous =
        pair_seed(task, device, (rank + 2) % kMpcMembers, theirs(peer(2)), mine(peer(2)));
    MemberLanes lanes;
    lanes.send = [this](const std::string& to, const Tag& tag, Slice head, Slice body) {
      send(to, tag, std::move(head), {std::move(body)});
    };
    lanes.recv = [this](const std::string& from, const Tag& tag, std::int64_t bytes, const Op& op) {
      return recv(from, tag, bytes, "secure computation", &op);
    };
    members_[device.name] =
        std::make_unique<DeviceMember>(device, rank, info_.task, seeds, std::move(lanes));
  }
}

}  // namespace curia
