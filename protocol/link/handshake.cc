#include "protocol/link/handshake.h"

#include <openssl/crypto.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace curia {

void Tokens::add(Entry entry) {
  const std::lock_guard lock(mutex_);
  const SteadyTime now = std::chrono::steady_clock::now();
  std::erase_if(entries_, [&](const auto& item) { return item.second.until <= now; });
  auto oldest = entries_.end();
  std::int64_t count = 0;
  for (auto it = entries_.begin(); it != entries_.end(); ++it) {
    if (it->second.peer != entry.peer) continue;
    count++;
    if (oldest == entries_.end() || it->second.until < oldest->second.until) oldest = it;
  }
  if (count >= kPerPeer) entries_.erase(oldest);
  const ConnectionToken token = entry.keys.token;
  entries_.insert_or_assign(token, std::move(entry));
}

std::optional<Tokens::Entry> Tokens::find(const ConnectionToken& token, SteadyTime now) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(token);
  if (found == entries_.end() || found->second.until <= now) return std::nullopt;
  return found->second;
}

bool Tokens::use(const ConnectionToken& token) {
  const std::lock_guard lock(mutex_);
  return entries_.erase(token) == 1;
}

void Tokens::forget(const std::string& peer) {
  const std::lock_guard lock(mutex_);
  std::erase_if(entries_, [&](const auto& item) { return item.second.peer == peer; });
}

Handshake::Handshake(Socket socket, SteadyTime deadline)
    : socket_(std::move(socket)), deadline_(deadline), dialer_(false) {}

Handshake::Handshake(Socket socket, SteadyTime deadline, std::string peer, KeyInputs keys)
    : socket_(std::move(socket)),
      deadline_(deadline),
      dialer_(true),
      peer_(std::move(peer)),
      keys_(std::move(keys)) {}

void Handshake::derive(const KeyInputs& keys, const RecordLimits& limits) {
  const Direction mine = dialer_ ? Direction::kFromDialer : Direction::kFromResponder;
  const Direction theirs = dialer_ ? Direction::kFromResponder : Direction::kFromDialer;
  Secret secret = direction_secret(keys, mine);
  sealer_.emplace(secret, limits);
  secret = direction_secret(keys, theirs);
  opener_.emplace(secret, limits);
  OPENSSL_cleanse(secret.data(), secret.size());
}

// The socket's buffer is empty, so the few bytes go at once or something is wrong.
bool Handshake::say(std::span<const std::uint8_t> preamble, const HelloFrame& hello) {
  std::array<std::uint8_t, kPreambleBytes + kMaxFirstRecord> out;
  std::copy(preamble.begin(), preamble.end(), out.begin());
  const auto frame = encode(hello);
  const std::int64_t record = sealer_->seal(frame, out.data() + preamble.size());
  const std::size_t size = preamble.size() + static_cast<std::size_t>(record);
  said_ = true;
  return ::send(socket_.fd(), out.data(), size, MSG_NOSIGNAL) == static_cast<ssize_t>(size);
}

bool Handshake::on_connected(const HelloFrame& hello, const RecordLimits& limits) {
  if (connect_error(socket_) != 0) return false;
  derive(keys_, limits);
  std::array<std::uint8_t, kPreambleBytes> preamble;
  std::copy(kDataMagic.begin(), kDataMagic.end(), preamble.begin());
  std::copy(keys_.token.begin(), keys_.token.end(), preamble.begin() + kDataMagic.size());
  return say(preamble, hello);
}

Handshake::Step Handshake::on_readable(Tokens& tokens, const HelloFrame& hello,
                                       const RecordLimits& limits, SteadyTime now) {
  const ssize_t got = ::recv(socket_.fd(), buffer_.data() + got_,
                             buffer_.size() - static_cast<std::size_t>(got_), 0);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return Step::kWait;
  if (got <= 0) return Step::kFailed;
  got_ += got;
  try {
    return on_bytes(tokens, hello, limits, now);
  } catch (const Error&) {
    return Step::kFailed;
  }
}

Handshake::Step Handshake::on_bytes(Tokens& tokens, const HelloFrame& hello,
                                    const RecordLimits& limits, SteadyTime now) {
  const std::int64_t skip = dialer_ ? 0 : kPreambleBytes;
  if (!dialer_ && !opener_) {
    const auto known = std::min<std::int64_t>(got_, std::ssize(kDataMagic));
    if (!std::equal(buffer_.begin(), buffer_.begin() + known, kDataMagic.begin())) {
      return Step::kFailed;
    }
    const auto token = parse_preamble({buffer_.data(), static_cast<std::size_t>(got_)});
    if (!token) return Step::kWait;
    const auto entry = tokens.find(*token, now);
    if (!entry) return Step::kFailed;
    keys_ = entry->keys;
    peer_ = entry->peer;
    derive(keys_, limits);
  }
  if (got_ < skip + kRecordHeader) return Step::kWait;
  const std::uint8_t* header = buffer_.data() + skip;
  const std::int64_t payload = opener_->payload_size(header);
  if (payload + kRecordOverhead > kMaxFirstRecord) return Step::kFailed;
  const std::int64_t end = skip + kRecordOverhead + payload;
  if (got_ < end) return Step::kWait;
  std::array<std::uint8_t, kMaxFirstRecord> opened;
  opener_->begin(header);
  opener_->decrypt(header + kRecordHeader, opened.data(), payload);
  opener_->finish(buffer_.data() + end - kRecordTag);
  const HelloFrame theirs = parse_first_record({opened.data(), static_cast<std::size_t>(payload)});
  if (!dialer_) {
    // The dialer says nothing more before it is answered.
    if (got_ != end || !tokens.use(keys_.token) || !say({}, hello)) return Step::kFailed;
  }
  connection_ = std::make_shared<Connection>(std::move(socket_), *std::move(sealer_),
                                             *std::move(opener_), theirs);
  connection_->reader.feed({buffer_.data() + end, static_cast<std::size_t>(got_ - end)});
  return Step::kDone;
}

}  // namespace curia
