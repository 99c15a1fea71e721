/* SPDX-License-Identifier: MIT */

/* Which failures pass by themselves. See retry.h. */

#include "retry.h"

#include <corail/task.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define DELAY_FIRST_MS 250
#define DELAY_MAX_MS 15000

bool retry_is_worthwhile(int error, int status)
{
	switch (-error) {
	case 0:
		return status == 408 || status == 429 || (status >= 500 && status <= 599);
	case ECONNREFUSED:
	case ECONNRESET:
	case ECONNABORTED:
	case EPIPE:
	case EHOSTUNREACH:
	case ENETUNREACH:
	case ENETDOWN:
	case ETIMEDOUT:
	case EMFILE:
	case ENFILE:
	case CORAIL_E_DNS_TIMEOUT:
	case CORAIL_E_DNS_SERVFAIL:
	case CORAIL_E_DNS_REFUSED:
	case CORAIL_E_TLS_HANDSHAKE:
	case CORAIL_E_HTTP_EMPTY:
	case CORAIL_E_HTTP_TRUNCATED:
		return true;
	default:
		return false;
	}
}

cr_nsec retry_delay(unsigned attempt)
{
	int64_t whole = DELAY_FIRST_MS;
	uint32_t chance = 0;

	for (unsigned i = 2; i < attempt && whole < DELAY_MAX_MS; i++)
		whole *= 2;
	if (whole > DELAY_MAX_MS)
		whole = DELAY_MAX_MS;
	if (getrandom(&chance, sizeof chance, GRND_NONBLOCK) != (ssize_t)sizeof chance)
		chance = (uint32_t)cr_now();
	return cr_micros(whole * 500 + whole * 500 * (chance % 1024) / 1024);
}

cr_nsec retry_after(const char *value)
{
	struct tm date = {0};
	const char *end;
	time_t when;

	if (!value)
		return 0;
	if (*value >= '0' && *value <= '9') {
		char *rest;
		unsigned long long seconds = strtoull(value, &rest, 10);

		return *rest ? 0 : cr_seconds((double)seconds);
	}
	end = strptime(value, "%a, %d %b %Y %H:%M:%S GMT", &date);
	if (!end || *end)
		return 0;
	when = timegm(&date);
	return when > time(NULL) ? cr_seconds((double)(when - time(NULL))) : 0;
}
