/* What every unit test includes: cmocka, without its fail(), which is our trail's name. */
#ifndef MENDFS_BASE_TEST_H
#define MENDFS_BASE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#undef fail

#include "base/trail.h"
#include "base/types.h"

#endif
