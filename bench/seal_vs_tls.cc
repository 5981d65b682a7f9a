// What sealing costs: bare TCP, TCP with sealed records, and TLS 1.3, in one run over loopback.
//
//   seal_vs_tls [runs]
//
// Figures are medians: GB/s, and CPU seconds per GB of both ends together.
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "bench/bare.h"

namespace curia::bench {
namespace {

constexpr std::int64_t kBytes = 512 << 20;
constexpr std::int64_t kTlsWrite = 256 << 10;

void check(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "TLS: %s\n", what);
  std::abort();
}

// A self-signed certificate; who holds it is not what is measured.
void make_identity(SSL_CTX* context) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  check(X509_sign(certificate, key, EVP_sha256()) > 0, "certificate");
  check(SSL_CTX_use_certificate(context, certificate) == 1, "certificate");
  check(SSL_CTX_use_PrivateKey(context, key) == 1, "key");
  X509_free(certificate);
  EVP_PKEY_free(key);
}

SSL* open_tls(int fd, bool server) {
  SSL_CTX* context = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
  check(SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1, "version");
  check(SSL_CTX_set_ciphersuites(context, "TLS_AES_256_GCM_SHA384") == 1, "cipher suite");
  if (server) make_identity(context);
  SSL* tls = SSL_new(context);
  check(SSL_set_fd(tls, fd) == 1, "socket");
  check((server ? SSL_accept(tls) : SSL_connect(tls)) == 1, "handshake");
  return tls;
}

Transfer tls_transfer(std::int64_t bytes) {
  const BufferPtr source = filled(bytes);
  return measure(
      [&](int fd) {
        SSL* tls = open_tls(fd, false);
        for (std::int64_t at = 0; at < bytes; at += kTlsWrite) {
          const auto count = static_cast<int>(std::min(kTlsWrite, bytes - at));
          check(SSL_write(tls, source->data() + at, count) == count, "write");
        }
      },
      [&](int fd) {
        SSL* tls = open_tls(fd, true);
        SSL_set_num_tickets(tls, 0);
        const auto destination = Buffer::allocate(bytes);
        for (std::int64_t at = 0; at < bytes;) {
          const auto most = static_cast<int>(std::min(kTlsWrite, bytes - at));
          const int got = SSL_read(tls, destination->data() + at, most);
          check(got > 0, "read");
          at += got;
        }
      });
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void run(int runs) {
  struct Row {
    std::string name;
    std::function<Transfer()> transfer;
    std::vector<double> rate, cpu;
  };
  std::vector<Row> rows;
  rows.push_back({"bare TCP", [] { return bare_transfer(kBytes, 256 << 10); }, {}, {}});
  for (const std::int64_t kib : {16, 64, 256, 1024}) {
    rows.push_back({"sealed records of " + std::to_string(kib) + " KiB",
                    [kib] { return bare_sealed_transfer(kBytes, kib << 10); },
                    {},
                    {}});
  }
  rows.push_back({"TLS 1.3, AES-256-GCM", [] { return tls_transfer(kBytes); }, {}, {}});
  const double gigabytes = static_cast<double>(kBytes) / 1e9;
  for (int i = 0; i < runs; ++i) {
    for (Row& row : rows) {
      const Transfer result = row.transfer();
      row.rate.push_back(gigabytes / result.seconds);
      row.cpu.push_back(result.cpu / gigabytes);
    }
  }
  std::printf("%-28s %8s %12s\n", "", "GB/s", "CPU s per GB");
  for (const Row& row : rows) {
    std::printf("%-28s %8.2f %12.2f\n", row.name.c_str(), median(row.rate), median(row.cpu));
  }
}

}  // namespace
}  // namespace curia::bench

int main(int argc, char** argv) {
  curia::bench::run(argc > 1 ? std::max(1, std::atoi(argv[1])) : 5);
  return 0;
}
