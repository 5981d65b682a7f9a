#include "driver/cli/session_file.h"

#include "driver/files.h"
#include "protocol/fields.h"

namespace curia {

SessionFile SessionFile::load(const std::string& path) {
  Fields fields = Fields::of_file(path);
  SessionFile file;
  file.path = path;
  file.cluster = fields.text("cluster");
  file.lease = std::chrono::seconds(fields.number("lease_seconds", 1, 3600));
  file.saved = SavedSession::parse(fields.text("session"), path + ": session");
  for (const auto& ref : fields.pairs_or_none("refs")) {
    file.refs[ref.first] =
        fields.checked("refs." + ref.first, [&ref] { return Ref::parse(ref.second); });
  }
  fields.finish();
  return file;
}

void SessionFile::save() const {
  nlohmann::ordered_json names = nlohmann::ordered_json::object();
  for (const auto& [name, ref] : refs) names[name] = ref.json();
  const nlohmann::ordered_json json = {{"cluster", cluster},
                                       {"lease_seconds", lease.count()},
                                       {"session", saved.json()},
                                       {"refs", names}};
  replace_file(path, json.dump(2) + "\n");
}

}  // namespace curia
