/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_CLI_RETRY_H
#define CORAIL_CLI_RETRY_H

/* When to try a page again, and how long to wait before. */

#include <corail/base.h>
#include <stdbool.h>

/*
 * The longest that a server may ask to be left alone (Retry-After) before the page counts as
 * failed.
 */
#define RETRY_AFTER_MAX cr_seconds(60)

/* Whether another attempt may end better: an error (negative), or else a status. */
bool retry_is_worthwhile(int error, int status);

/*
 * How long to wait before attempt number `attempt` (2 is the first retry): twice as long each time,
 * up to 15 s, and by chance between half of it and all of it, so that many do not come back
 * together.
 */
cr_nsec retry_delay(unsigned attempt);

/*
 * A Retry-After header's value (RFC 9110, section 10.2.3), seconds or a date; 0 for none or
 * nonsense.
 */
cr_nsec retry_after(const char *value);

#endif
