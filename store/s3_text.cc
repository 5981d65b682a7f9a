#include "store/s3_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace curia {
namespace {

constexpr std::array<std::pair<std::string_view, char>, 7> kEntities = {{{"&amp;", '&'},
                                                                         {"&lt;", '<'},
                                                                         {"&gt;", '>'},
                                                                         {"&quot;", '"'},
                                                                         {"&#34;", '"'},
                                                                         {"&#39;", '\''},
                                                                         {"&apos;", '\''}}};
constexpr std::string_view kHex = "0123456789ABCDEF";
constexpr std::size_t kLongestName = 48;

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// What is between <name> (or <name attribute...>) and </name>, from `at` on, which goes behind it.
std::optional<std::string_view> element(std::string_view xml, std::string_view name,
                                        std::size_t& at) {
  const std::string open = "<" + std::string(name);
  const std::string close = "</" + std::string(name) + ">";
  for (std::size_t begin = xml.find(open, at); begin != std::string_view::npos;
       begin = xml.find(open, begin + 1)) {
    const std::size_t end_of_tag = begin + open.size();
    if (end_of_tag >= xml.size() || (xml[end_of_tag] != '>' && xml[end_of_tag] != ' ')) continue;
    const std::size_t text = xml.find('>', end_of_tag);
    const std::size_t end = xml.find(close, end_of_tag);
    if (text == std::string_view::npos || end == std::string_view::npos || end <= text) break;
    at = end + close.size();
    return xml.substr(text + 1, end - text - 1);
  }
  return std::nullopt;
}

// All of this name, in order.
std::vector<std::string_view> elements(std::string_view xml, std::string_view name) {
  std::vector<std::string_view> found;
  std::size_t at = 0;
  for (auto one = element(xml, name, at); one.has_value(); one = element(xml, name, at)) {
    found.push_back(one.value());
  }
  return found;
}

std::string without_entities(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto found = std::find_if(kEntities.begin(), kEntities.end(), [&](const auto& entity) {
      return text.substr(i).starts_with(entity.first);
    });
    out.push_back(found == kEntities.end() ? text[i] : found->second);
    i += found == kEntities.end() ? 1 : found->first.size();
  }
  return out;
}

}  // namespace

std::string s3_encoded(std::string_view text, bool slash) {
  std::string out;
  for (const char c : text) {
    if (is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~' ||
        (c == '/' && !slash)) {
      out.push_back(c);
      continue;
    }
    const auto byte = static_cast<std::uint8_t>(c);
    out.push_back('%');
    out.push_back(kHex[byte >> 4]);
    out.push_back(kHex[byte & 15]);
  }
  return out;
}

std::string xml_text(std::string_view xml, std::string_view name) {
  std::size_t at = 0;
  const auto found = element(xml, name, at);
  return found ? without_entities(*found) : "";
}

S3Page parse_s3_page(std::string_view xml) {
  std::size_t at = 0;
  if (!element(xml, "ListBucketResult", at)) {
    throw Error(Code::kFailed, "the answer is no list of objects");
  }
  S3Page page;
  for (const std::string_view contents : elements(xml, "Contents")) {
    S3Object object;
    object.key = xml_text(contents, "Key");
    const std::string size = xml_text(contents, "Size");
    const auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), object.bytes);
    if (object.key.empty() || error != std::errc() || end != size.data() + size.size() ||
        object.bytes < 0) {
      throw Error(Code::kFailed, "the list has an object without a key or size");
    }
    page.objects.push_back(std::move(object));
  }
  if (xml_text(xml, "IsTruncated") == "true") {
    page.next = xml_text(xml, "NextContinuationToken");
    if (page.next.empty())
      throw Error(Code::kFailed, "the list ends without saying how it goes on");
  }
  return page;
}

std::vector<std::pair<std::string, std::string>> parse_s3_uploads(std::string_view xml,
                                                                  std::string_view prefix) {
  std::vector<std::pair<std::string, std::string>> uploads;
  for (const std::string_view upload : elements(xml, "Upload")) {
    std::string key = xml_text(upload, "Key");
    std::string id = xml_text(upload, "UploadId");
    if (key.starts_with(prefix) && !id.empty()) uploads.emplace_back(std::move(key), std::move(id));
  }
  return uploads;
}

std::string s3_error_name(std::string_view xml) {
  std::string name = xml_text(xml, "Code");
  const bool word =
      name.size() <= kLongestName && std::all_of(name.begin(), name.end(), is_alphanumeric);
  return word ? name : "";
}

std::string s3_parts_xml(const std::vector<std::string>& tags) {
  std::string xml = "<CompleteMultipartUpload>";
  for (std::size_t i = 0; i < tags.size(); ++i) {
    xml += "<Part><PartNumber>" + std::to_string(i + 1) + "</PartNumber><ETag>";
    for (const char c : tags[i]) xml += c == '"' ? "&quot;" : std::string(1, c);
    xml += "</ETag></Part>";
  }
  return xml + "</CompleteMultipartUpload>";
}

}  // namespace curia
