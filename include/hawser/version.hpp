// The version of the library and its API. Segment layout and file formats have versions of their
// own.
#pragma once

#define HAWSER_VERSION_MAJOR 0
#define HAWSER_VERSION_MINOR 1
#define HAWSER_VERSION_PATCH 0
#define HAWSER_VERSION_STRING "0.1.0"

namespace hawser {

// Everything public lives in this inline namespace, so that two versions can share a process.
inline namespace v1 {}

} // namespace hawser
