#include "worker/preflight.h"

#include "protocol/codec.h"

namespace curia {

template <class Archive>
void CEREAL_SERIALIZE_FUNCTION_NAME(Archive& ar, PreflightInput& input) {
  ar(input.outside, input.lineage, input.label, input.instance);
}

template <class Archive>
void CEREAL_SERIALIZE_FUNCTION_NAME(Archive& ar, AuditHead& head) {
  ar(head.sequence, head.hash, head.key, head.signature);
}

template <class Archive>
void CEREAL_SERIALIZE_FUNCTION_NAME(Archive& ar, Preflight& preflight) {
  ar(preflight.program, preflight.driver, preflight.epoch, preflight.nonce, preflight.inputs,
     preflight.pair_secret, preflight.head);
}

std::string encode_preflight(const Preflight& preflight) {
  std::string bytes;
  WireWriter writer(bytes);
  writer(preflight);
  return bytes;
}

Preflight decode_preflight(std::string_view bytes) {
  Preflight preflight;
  WireReader reader(bytes);
  reader(preflight);
  reader.finish();
  return preflight;
}

}  // namespace curia
