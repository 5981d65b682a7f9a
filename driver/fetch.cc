// Session::fetch: of a plain value one answer; of a secret every member's, put together here.
#include <algorithm>
#include <array>
#include <condition_variable>
#include <mutex>
#include <utility>
#include <vector>

#include "driver/session_state.h"
#include "protocol/secret.h"
#include "protocol/value_bytes.h"

namespace curia {
namespace {

constexpr int kAttempts = 2;  // to make a value again that is lost before it is fetched

// How a value that was lost, or whose run was broken off by a restart, is answered for.
bool comes_of_loss(Code code, bool restarted) {
  return code == Code::kStaleEpoch || code == Code::kCorrupt ||
         (restarted && (code == Code::kPeerLost || code == Code::kCancelled));
}

// The time that the caller gave has passed: not a worker's answer, which may be a time-out too.
struct NoAnswer {};

// One request for the bytes of an object at one party.
class Fetch {
 public:
  // Of a worker that was not restarted since restarts() was `known`. Errors: kStaleEpoch.
  Fetch(DriverConnection& connection, std::string party, const std::string& uri,
        std::uint64_t known)
      : connection_(connection), party_(std::move(party)) {
    FetchRequest request;
    request.uri = uri;
    request.after = connection_.last_sequence(party_);
    id_ = connection_.submit(
        party_, Kind::kFetch, encode(request),
        [answer = answer_](const std::string* reply, const Error* error) {
          const std::lock_guard lock(answer->mutex);
          if (reply != nullptr) answer->reply = *reply;
          if (error != nullptr) answer->error = std::make_unique<Error>(*error);
          answer->done = true;
          answer->ready.notify_one();
        },
        known);
    if (id_ == 0) throw Error(Code::kStaleEpoch, party_ + " has just been restarted");
  }

  const std::string& party() const { return party_; }

  // Waits for head and body. Errors: the worker's. Throws NoAnswer at the deadline.
  std::pair<std::string, Slice> take(SteadyTime deadline) {
    FetchReply reply = decode<FetchReply>(wait(deadline));
    if (!reply.bulk) {
      return {std::move(reply.head), Slice::copy_of(std::string_view(reply.body))};
    }
    const auto lane = connection_.bulk_lane(party_, LaneUse::kFetches);
    try {
      Message message = lane->recv({id_, 0, 0}, static_cast<std::int64_t>(reply.bytes), deadline);
      return {std::move(reply.head), std::move(message.body)};
    } catch (const Error& error) {
      if (error.code() == Code::kTimeout && error.party().empty()) throw NoAnswer();
      throw;
    }
  }

  // Bytes that still come are nobody's, and must not stand in the way of the next fetch.
  void forget(const Error& why) { connection_.forget_bulk(party_, id_, why); }

 private:
  struct Answer {
    std::mutex mutex;
    std::condition_variable ready;
    bool done = false;
    std::string reply;
    std::unique_ptr<Error> error;
  };

  std::string wait(SteadyTime deadline) {
    std::unique_lock lock(answer_->mutex);
    const auto done = [this] { return answer_->done; };
    if (deadline == SteadyTime::max()) {
      answer_->ready.wait(lock, done);
    } else if (!answer_->ready.wait_until(lock, deadline, done)) {
      throw NoAnswer();
    }
    if (answer_->error != nullptr) throw *answer_->error;
    return std::move(answer_->reply);
  }

  DriverConnection& connection_;
  const std::string party_;
  std::uint64_t id_ = 0;
  const std::shared_ptr<Answer> answer_ = std::make_shared<Answer>();
};

// Each member sent its first part; the second of each is the first of the next one.
Value put_together(std::vector<SharePart> parts) {
  std::vector<Share> shares;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    shares.push_back(
        {parts[i].type, parts[i].instance, parts[i].part, parts[(i + 1) % parts.size()].part});
  }
  return reconstruct(shares);
}

}  // namespace

Value Session::fetch(const Ref& ref, std::chrono::milliseconds timeout) {
  if (state_->planner != nullptr) return state_->planner->fetch(ref);
  const auto deadline =
      timeout == kForever ? SteadyTime::max() : std::chrono::steady_clock::now() + timeout;
  for (int attempt = 0;; ++attempt) {
    const std::uint64_t known = state_->connection.restarts();
    try {
      return fetch_now(ref, timeout, deadline, known);
    } catch (const Error& error) {
      if (auto lost = state_->lost(ref)) {
        if (!state_->on_demand || attempt == kAttempts) throw *std::move(lost);
      } else if (!state_->on_demand || attempt == kAttempts ||
                 !comes_of_loss(error.code(), state_->connection.restarts() != 0) ||
                 state_->recipes->find(ref).maker == nullptr) {
        throw;
      }
    }
    ReconstructOptions options;
    if (timeout != kForever) {
      options.timeout = std::chrono::ceil<std::chrono::milliseconds>(
          std::max(deadline - std::chrono::steady_clock::now(), SteadyTime::duration(0)));
    }
    reconstruct(ref, options);
  }
}

Value Session::fetch_now(const Ref& ref, std::chrono::milliseconds timeout,
                         std::chrono::steady_clock::time_point deadline, std::uint64_t known) {
  if (auto lost = state_->lost(ref)) throw *std::move(lost);
  std::string uri;
  RecipeInput made;
  {
    const std::lock_guard lock(state_->recipes->mutex());
    made = state_->recipes->find_held(ref, uri);
  }
  std::vector<std::unique_ptr<Fetch>> fetches;
  std::string at;
  try {
    for (const std::string& party : ref.parties()) {
      at = party;
      fetches.push_back(std::make_unique<Fetch>(state_->connection, party, uri, known));
    }
    std::vector<SharePart> parts;
    for (const auto& fetch : fetches) {
      at = fetch->party();
      const auto [head, body] = fetch->take(deadline);
      if (!ref.type().is_secret()) return value_from_bytes(head, body, ref.type());
      parts.push_back(share_part_from_bytes(head, body, ref.type()));
    }
    return put_together(std::move(parts));
  } catch (const NoAnswer&) {
    const Error late =
        Error(Code::kTimeout, "no answer to the fetch of " + ref.str() + " within " +
                                  std::to_string(timeout.count()) + " ms" + state_->wait_report())
            .at_party(at);
    for (const auto& fetch : fetches) fetch->forget(late);
    throw late;
  } catch (const Error& error) {
    for (const auto& fetch : fetches) fetch->forget(error);
    throw;
  }
}

}  // namespace curia
