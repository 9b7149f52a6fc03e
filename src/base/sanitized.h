/* Whether this is built with a sanitizer: gcc says so by macros, clang by features; and what it
 * leaves alone. */
#ifndef MENDFS_BASE_SANITIZED_H
#define MENDFS_BASE_SANITIZED_H

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED_ADDRESS 1
#endif
#if __has_feature(thread_sanitizer)
#define SANITIZED_THREAD 1
#endif
#endif

#if !defined(SANITIZED_ADDRESS) && defined(__SANITIZE_ADDRESS__)
#define SANITIZED_ADDRESS 1
#elif !defined(SANITIZED_ADDRESS)
#define SANITIZED_ADDRESS 0
#endif
#if !defined(SANITIZED_THREAD) && defined(__SANITIZE_THREAD__)
#define SANITIZED_THREAD 1
#elif !defined(SANITIZED_THREAD)
#define SANITIZED_THREAD 0
#endif

/* For a hot function that only computes, on memory whose bounds its type says: watched, it would
 * take a sixth of a test. */
#define UNWATCHED __attribute__((no_sanitize("address", "undefined")))

#endif
