// What the verifier of flatbuffers does not look at: where the elements of a vector begin.
// Thread: any.
#pragma once

#include <cstdint>

namespace curia {

// Whether the structs or longs of a vector, which may be null, are where they can be read in place.
// Writers put a vector without any wherever it falls.
template <class Vector>
bool well_placed(const Vector* vector) {
  return vector == nullptr || vector->size() == 0 ||
         reinterpret_cast<std::uintptr_t>(vector->Data()) % sizeof(std::int64_t) == 0;
}

}  // namespace curia
