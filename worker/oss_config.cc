#include "worker/oss_config.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "protocol/hex.h"
#include "protocol/link/keys.h"
#include "protocol/uri.h"
#include "worker/policy_json.h"

namespace curia {
namespace {

constexpr std::int64_t kMostMib = std::int64_t{1} << 40;

bool is_region(const std::string& text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

S3Bucket read_bucket(Fields fields, const std::string& name, const OssConfig& config,
                     const std::string& party) {
  S3Bucket bucket;
  bucket.prefix = fields.text_or("prefix", "");
  if (!bucket.prefix.empty()) {
    if (!bucket.prefix.ends_with('/')) {
      fields.fail("prefix", "expected it to end with a slash, such as \"curia/alice/\"");
    }
    fields.checked("prefix",
                   [&] { return Uri::parse("oss://" + name + "/" + bucket.prefix + "x"); });
  }
  for (const std::string& reader : fields.texts_or_none("readers")) {
    checked_name(fields, "readers", reader);
    if (reader == party) fields.fail("readers", "this is the worker's own name");
    bucket.shared = true;
  }
  if (bucket.shared && config.encryption_key_file.empty()) {
    fields.fail("readers",
                "what is saved where others read is released to them without anybody's consent; "
                "set encryption_key_file of oss, or use a bucket that only this party reads");
  }
  fields.finish();
  return bucket;
}

S3Credentials read_credentials(const std::string& path) {
  // Without exceptions: those of the parser quote the text, which holds the secret.
  const auto json = nlohmann::json::parse(read_private_file(path), nullptr, false);
  const auto refuse = [&path](const std::string& why) {
    throw Error(Code::kInvalid, "credentials_file " + path + ": " + why);
  };
  if (!json.is_object()) {
    refuse("expected a JSON object with \"access_key_id\" and \"secret_access_key\"");
  }
  S3Credentials credentials;
  std::size_t known = 0;
  for (const auto& [name, value] : {std::pair{"access_key_id", &credentials.id},
                                    std::pair{"secret_access_key", &credentials.secret},
                                    std::pair{"session_token", &credentials.token}}) {
    if (!json.contains(name) && value == &credentials.token) continue;
    if (!json.contains(name) || !json[name].is_string()) {
      refuse(std::string("expected a text \"") + name + "\"");
    }
    ++known;
    *value = json[name].get<std::string>();
    const bool printable = std::all_of(value->begin(), value->end(),
                                       [](char c) { return c > ' ' && c < '\x7f' && c != ':'; });
    if (value->empty() || !printable) {
      refuse(std::string("\"") + name +
             "\" is empty, or has a space, colon or other character "
             "that no such text has");
    }
  }
  if (json.size() != known) {
    refuse("a field beside access_key_id, secret_access_key and session_token");
  }
  return credentials;
}

StoreKey read_encryption_key(const std::string& path) {
  std::string text = read_private_file(path);
  if (text.ends_with('\n')) text.pop_back();
  StoreKey key{};
  std::string bytes;
  try {
    bytes = bytes_of_hex(text);
  } catch (const Error&) {
    // Told below, without the text.
  }
  if (bytes.size() != key.size()) {
    throw Error(Code::kInvalid, "encryption_key_file " + path +
                                    ": expected 64 lower-case hex digits; \"openssl rand -hex 32\" "
                                    "makes them");
  }
  std::copy(bytes.begin(), bytes.end(), key.begin());
  return key;
}

}  // namespace

OssConfig read_oss_config(Fields fields, const std::string& path, const std::string& party) {
  OssConfig config;
  config.endpoint = fields.text("endpoint");
  fields.checked("endpoint", [&] { check_s3_endpoint(config.endpoint); });
  config.region = fields.text_or("region", "us-east-1");
  if (!is_region(config.region)) {
    fields.fail("region", "expected lower-case letters, digits and -, such as \"eu-west-1\"");
  }
  const std::string style = fields.text_or("style", "path");
  if (style != "path" && style != "virtual-host") {
    fields.fail("style", "expected \"path\" or \"virtual-host\"");
  }
  config.virtual_host = style == "virtual-host";
  config.credentials_file = beside(path, fields.text("credentials_file"));
  if (fields.has("encryption_key_file")) {
    config.encryption_key_file = beside(path, fields.text("encryption_key_file"));
  }
  if (fields.has("ca_file")) config.ca_file = beside(path, fields.text("ca_file"));
  config.quota_bytes = fields.number_or("quota_mib", 0, 0, kMostMib) << 20;
  config.hidden_quota_bytes =
      fields.number_or("hidden_quota_mib", config.quota_bytes >> 21, 0, kMostMib) << 20;
  for (auto& [name, bucket] : fields.objects_or_none("buckets")) {
    const std::string& known = name;
    fields.checked("buckets." + name, [&] { return Uri::parse("oss://" + known + "/x"); });
    if (name.find('/') != std::string::npos) fields.fail("buckets." + name, "expected no slash");
    config.buckets.emplace(name, read_bucket(std::move(bucket), name, config, party));
  }
  if (config.buckets.empty()) {
    fields.fail("buckets",
                "expected at least one, such as {\"objects\": {\"prefix\": \"alice/\"}}");
  }
  fields.finish();
  return config;
}

S3StoreOptions oss_options(const OssConfig& config, const std::string& state_dir,
                           const StoreKey& key) {
  S3StoreOptions options;
  options.server.endpoint = config.endpoint;
  options.server.region = config.region;
  options.server.virtual_host = config.virtual_host;
  options.server.ca_file = config.ca_file;
  options.server.credentials = read_credentials(config.credentials_file);
  options.buckets = config.buckets;
  options.state = state_dir + "/oss";
  options.key = key;
  if (!config.encryption_key_file.empty()) {
    options.encryption = read_encryption_key(config.encryption_key_file);
  }
  options.open_quota = config.quota_bytes;
  options.hidden_quota = config.hidden_quota_bytes;
  return options;
}

}  // namespace curia
