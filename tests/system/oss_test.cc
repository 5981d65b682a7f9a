// Objects at an S3 server, with real processes: they outlive workers, keep their labels, and the
// driver never comes near the server.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/store/real_s3.h"
#include "tests/support/temporary_folder.h"
#include "tests/system/hostile.h"

using namespace curia;

namespace {

struct OssFiles {
  TemporaryFolder folder;
  std::string write(const std::string& name, const std::string& text) const {
    const std::string path = folder / name;
    std::ofstream(path) << text;
    ::chmod(path.c_str(), 0600);
    return path;
  }
};

std::map<std::string, ProcessParty> with_store(const OssFiles& files, const std::string& prefix,
                                               bool wrong_secret = false) {
  const RealS3& server = RealS3::server();
  const std::string secret = wrong_secret ? "canary-wrong" : server.credentials.secret;
  const std::string credentials = files.write(wrong_secret ? "wrong.json" : "s3.json",
                                              R"({"access_key_id": ")" + server.credentials.id +
                                                  R"(", "secret_access_key": ")" + secret + "\"}");
  const std::string key = files.write("oss.key", std::string(64, 'c') + "\n");
  ProcessParty alice;
  alice.csv["visits"] = "n\n1\n2\n39\n";
  alice.extra["oss"] = R"({"endpoint": ")" + server.endpoint + R"(", "credentials_file": ")" +
                       credentials + R"(", "encryption_key_file": ")" + key +
                       R"(", "buckets": {")" + server.bucket + R"(": {"prefix": ")" + prefix +
                       "\"}}}";
  return {{"alice", alice}};
}

void save(Session& session, const Uri& uri, bool of_alice) {
  Program program("save");
  if (of_alice) {
    program.save(sum(program.dataset(session.dataset("alice", "visits")).column("n")), uri);
  } else {
    program.save(program.constant("alice", Tensor::scalar<double>(42)), uri);
  }
  session.run(program);
  session.wait();
}

}  // namespace

TEST_CASE("Oss: what was saved at an S3 server is there after a restart, under its label") {
  const OssFiles files;
  const Uri own = Uri::parse("oss://" + RealS3::server().bucket + "/system/own");
  const Uri total = Uri::parse("oss://" + RealS3::server().bucket + "/system/total");
  ProcessCluster cluster(with_store(files, "system/"));
  {
    Session session = cluster.connect();
    save(session, own, false);
    save(session, total, true);
  }
  cluster.kill("alice");
  cluster.start("alice");
  Session session = cluster.connect();
  const Ref ref = session.stored("alice", own);
  CHECK(session.fetch(ref, Seconds(20)).tensor().as<double>()[0] == 42);
  const Ref hers = session.stored("alice", total);
  CHECK(error_of([&] { session.fetch(hers, Seconds(20)); }).code() == Code::kDenied);
  Session other = cluster.connect("mallory");
  CHECK(error_of([&] { other.stored("alice", own); }).code() == Code::kNotFound);

  Program program("load");
  program.output("twice", program.load(own, ref.type()) + program.input("x", ref.type()));
  const Refs refs = session.run(program, {{"x", ref}});
  CHECK(session.fetch(refs["twice"], Seconds(20)).tensor().as<double>()[0] == 84);

  const Uri elsewhere = Uri::parse("oss://" + RealS3::server().bucket + "/elsewhere/x");
  CHECK(error_of([&] { save(session, elsewhere, false); }).code() == Code::kDenied);
  S3Client client(RealS3::server().options());
  CHECK(client.list(RealS3::server().bucket, "elsewhere/", "").objects.empty());
  CHECK(client.list(RealS3::server().bucket, "system/", "").objects.size() == 2);
  session.remove(ref);
  session.remove(hers);
  session.wait();
  CHECK(client.list(RealS3::server().bucket, "system/", "").objects.empty());
}

TEST_CASE("Oss: a worker whose server refuses it does not start, and its log has no secret") {
  const OssFiles files;
  const Error error = error_of([&] { ProcessCluster(with_store(files, "system/", true)); });
  CHECK(contains(error.message(), "refuses the worker's credentials"));
  CHECK(contains(error.message(), RealS3::server().endpoint));
  CHECK_FALSE(contains(error.message(), "canary-wrong"));
}
