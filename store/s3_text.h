// The texts of S3's requests and answers. Nothing of an answer is trusted. Thread: any.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/s3_client.h"

namespace curia {

// All but letters, digits and -._~ as %XX, as signatures want it; slash: whether '/' too.
std::string s3_encoded(std::string_view text, bool slash);

// The text of the first element of this name, with entities replaced; "": there is none.
std::string xml_text(std::string_view xml, std::string_view name);

// The answer to ListObjectsV2. Errors: kFailed where it is none.
S3Page parse_s3_page(std::string_view xml);

// The answer to ListMultipartUploads: keys beneath the prefix, and uploads.
std::vector<std::pair<std::string, std::string>> parse_s3_uploads(std::string_view xml,
                                                                  std::string_view prefix);

// <Code> of an error, where it is a short word; else "".
std::string s3_error_name(std::string_view xml);

// The body of CompleteMultipartUpload.
std::string s3_parts_xml(const std::vector<std::string>& tags);

}  // namespace curia
