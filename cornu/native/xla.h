// The part of XLA's foreign function interface, version 0.3, that is used here: the leading fields of structures in
// jaxlib's include/xla/ffi/api/c_api.h, which do not change within a major version. They are declared here so that building
// does not need jaxlib, and the result runs with any jaxlib that is recent enough.

#pragma once

#include <cstddef>
#include <cstdint>

namespace xla {

constexpr int kMajor = 0, kMinor = 3;

struct Extension { size_t size; int kind; Extension* next; };
struct Version { size_t size; void* extension; int major, minor; };
struct Metadata { size_t size; Version version; uint32_t traits; };
struct MetadataExtension { Extension base; Metadata* metadata; };

struct Error;
struct Context;
struct NewError { size_t size; void* extension; const char* message; int code; };
struct OldError { size_t size; void* extension; Error* error; };
struct Schedule { size_t size; void* extension; Context* context; void (*task)(void*); void* data; };
struct CountThreads { size_t size; void* extension; Context* context; int64_t* count; };

struct Api {
  size_t size;
  void* extension;
  Version version;
  const void* internal;
  Error* (*create_error)(NewError*);
  void* error_message;
  void (*destroy_error)(OldError*);
  void* others[8];
  Error* (*schedule)(Schedule*);
  Error* (*count_threads)(CountThreads*);
};

struct Array { int dtype; size_t size; void* data; };
struct Buffer { size_t size; void* extension; int dtype; void* data; int64_t rank; int64_t* sizes; };
struct Buffers { size_t size; void* extension; int64_t count; int* kinds; Buffer** of; };
struct Attributes { size_t size; void* extension; int64_t count; int* kinds; void** names; Array** of; };

struct Call {
  size_t size;
  Extension* extension;
  const Api* api;
  Context* context;
  int stage;
  Buffers arguments, results;
  Attributes attributes;
};

}  // namespace xla
