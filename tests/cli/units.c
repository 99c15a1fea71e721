/* SPDX-License-Identifier: MIT */

/* The parts of the command that need no network: names, lists, order, numbers, text. */

#include "test.h"

#include "../../cli/args.c"
#include "../../cli/names.c"
#include "../../cli/retry.c"
#include "../../cli/schedule.c"
#include "../../cli/text.c"
#include "../../cli/urls.c"

static const char *name_of(const char *url)
{
	static char name[NAME_SIZE];

	name_from_url(url, name);
	return name;
}

static void names_say_what_the_page_is(void)
{
	CHECK_STR(name_of("https://example.com"), "example.com_index.html");
	CHECK_STR(name_of("https://example.com/"), "example.com_index.html");
	CHECK_STR(name_of("https://example.com/a/b.html"), "example.com_a_b.html");
	CHECK_STR(name_of("http://h:8080/a/"), "h_8080_a_index.html");
	CHECK_STR(name_of("http://h/s?q=a&r=b"), "h_s_q=a_r=b");
	CHECK_STR(name_of("http://h/%C3%A9t%C3%A9"), "h_\xc3\xa9t\xc3\xa9");
	CHECK_STR(name_of("http://h/a%20b"), "h_a_b");
	CHECK_STR(name_of("http://h/a#part"), "h_a");
	CHECK_STR(name_of("http://user:secret@h/a"), "h_a");
	CHECK_STR(name_of("http://h?q"), "h_index.html_q");
}

/* Whether a name is one component that nobody takes for anything else. */
static int is_safe(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length > 250 || strchr(name, '/') || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0 || name[0] == '.' || name[0] == '-')
		return 0;
	for (const char *p = name; *p;) {
		uint32_t codepoint;
		size_t size = text_utf8_decode(p, strlen(p), &codepoint);

		if (size == 0 || !text_is_printable(codepoint) ||
		    (codepoint < 0x80 && strchr(" \"'`$&*?;<>|\\()[]{}!:", (int)codepoint)))
			return 0;
		p += size;
	}
	return 1;
}

static void names_are_safe(void)
{
	static const char *const hostile[] = {
		"",
		"/",
		"..",
		"http://",
		"http://..",
		"http://../..",
		"http://h/..",
		"http://h/../../etc/passwd",
		"http://h/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
		"http://h/a%00b",
		"http://h/%0a%0d%1b[2J",
		"http://-rf/",
		"http://.hidden",
		"http://%2d%2drf",
		"http://h/\xff\xfe",
		"http://h/%ff%c0%af",
		"http://h/$(reboot)",
		"http://h/`id`",
		"http://h/a;b|c>d<e",
		"http://h/\\..\\..\\x",
		"http://h/%E2%80%AEgpj.exe",
		"http://h/%",
		"http://h/%4",
		"http://h/%zz",
		"://",
		"?",
		"#",
		"http://h/%EF%BB%BF",
		"http://@/",
		"http://a@b@/",
		"~root",
		"http://~",
		"http://h/%F4%90%80%80",
		"http://h/%ED%A0%80",
	};
	for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
		if (!is_safe(name_of(hostile[i])))
			fprintf(stderr, "URL \"%s\" gives \"%s\"\n", hostile[i],
			        name_of(hostile[i]));
		CHECK(is_safe(name_of(hostile[i])));
	}
}

/* Any bytes at all, with those that matter more often than by chance. */
static void names_are_safe_at_random(void)
{
	srand(1);
	for (int round = 0; round < 200000; round++) {
		static const char often[] = "/.%0e2f\\:?#@-\xc3\xa9\xe2\x80\xae";
		char url[64] = "http://";
		size_t length = 7 + (size_t)rand() % 40;

		for (size_t i = round % 2 ? 7 : 0; i < length; i++)
			url[i] = rand() % 2 ? often[(size_t)rand() % (sizeof often - 1)]
			                    : (char)(rand() % 255 + 1);
		url[length] = '\0';
		CHECK(is_safe(name_of(url)));
	}
}

static void names_are_short(void)
{
	char longest[3000];

	snprintf(longest, sizeof longest, "http://h/%0*d.tar.gz", 2500, 0);
	CHECK(is_safe(name_of(longest)));
	CHECK(strstr(name_of(longest), ".gz") != NULL);
	/* The cut never splits a character. */
	for (size_t i = 0; i < 8; i++) {
		size_t used = (size_t)snprintf(longest, sizeof longest, "http://h/%.*s", (int)i,
		                               "aaaaaaaa");

		for (size_t n = 0; n < 200; n++)
			used += (size_t)snprintf(longest + used, sizeof longest - used, "\u00e9");
		CHECK(is_safe(name_of(longest)));
	}
}

static void names_differ(void)
{
	struct name_set set = {0};
	char url[64], first[300], again[300];

	CHECK_STR(name_set_add(&set, "http://h/a.html"), "h_a.html");
	CHECK_STR(name_set_add(&set, "http://h/a.html"), "h_a-2.html");
	CHECK_STR(name_set_add(&set, "http://h/a%2ehtml"), "h_a-3.html");
	CHECK_STR(name_set_add(&set, "http://h/a-4.html"), "h_a-4.html");
	CHECK_STR(name_set_add(&set, "http://h/a.html"), "h_a-5.html");
	CHECK_STR(name_set_add(&set, "http://h_a.html/x"), "h_a.html_x");
	for (int i = 0; i < 50000; i++)
		CHECK(name_set_add(&set, "http://h/same") != NULL);
	for (int i = 0; i < 1000; i++) {
		snprintf(url, sizeof url, "http://h/%d", i);
		CHECK(name_set_add(&set, url) != NULL);
	}
	CHECK_EQ(set.count, 51006);
	snprintf(first, sizeof first, "%s", name_set_add(&set, "http://h/same"));
	CHECK_STR(first, "h_same-50001");
	name_set_free(&set);
	/* Long ones that differ only at the end keep their difference. */
	memset(again, 'x', sizeof again);
	memcpy(again, "http://h/", 9);
	again[298] = '1';
	again[299] = '\0';
	snprintf(first, sizeof first, "%s", name_of(again));
	again[298] = '2';
	CHECK(strcmp(first, name_of(again)) != 0);
}

static struct url_list read_text(const char *text, size_t size)
{
	struct url_list list = {0};
	FILE *in = fmemopen((void *)(uintptr_t)text, size, "r");

	CHECK(in != NULL);
	CHECK_EQ(url_list_read(&list, in), 0);
	fclose(in);
	return list;
}

static void lists_are_read(void)
{
	static const char text[] = "\xef\xbb\xbfhttp://a/\r\n"
				   "\n"
				   "  # a comment\r\n"
				   "\t http://b/#part \t# why\n"
				   "   \r\n"
				   "#http://no/\n"
				   "http://c\0d/\n"
				   "http://e f/\n"
				   "http://last/";
	struct url_list list = read_text(text, sizeof text - 1);

	CHECK_EQ(list.count, 5);
	CHECK_STR(list.urls[0], "http://a/");
	CHECK_STR(list.urls[1], "http://b/#part");
	CHECK_STR(list.urls[2], "http://c\xef\xbf\xbd"
	                        "d/");
	CHECK_STR(list.urls[3], "http://e f/");
	CHECK_STR(list.urls[4], "http://last/");
	CHECK(url_is_good(list.urls[0]) && url_is_good(list.urls[1]) && url_is_good(list.urls[4]));
	CHECK(!url_is_good(list.urls[2]) && !url_is_good(list.urls[3]));
	url_list_free(&list);
	CHECK(!url_is_good("example.com") && !url_is_good("ftp://h/") && !url_is_good("http://"));
	CHECK(!url_is_good("http:///x") && !url_is_good("http://:80/") &&
	      !url_is_good("http://u@/"));
	CHECK(!url_is_good("http://h/\033[2J") && !url_is_good("http://h/a\nb"));
	CHECK(url_is_good("HTTP://h") && url_is_good("https://[::1]:8443/x?y#z"));
}

static void hosts_have_their_share(void)
{
	char *urls[] = {"http://a/1", "http://A/2",     "http://a/3",
	                "http://b/1", "http://u:p@a/4", "http://b/2"};
	struct schedule schedule;
	size_t index;

	CHECK_EQ(schedule_init(&schedule, urls, 6, 2), 0);
	CHECK(schedule_next(&schedule, &index) && index == 0);
	CHECK(schedule_next(&schedule, &index) && index == 1);
	CHECK(schedule_next(&schedule, &index) && index == 3); /* 2 is passed over */
	CHECK(schedule_next(&schedule, &index) && index == 5);
	CHECK(!schedule_next(&schedule, &index));
	schedule_done(&schedule, 1);
	schedule_done(&schedule, 0);
	CHECK(schedule_next(&schedule, &index) && index == 2);
	CHECK(schedule_next(&schedule, &index) && index == 4);
	CHECK(!schedule_next(&schedule, &index));
	schedule_free(&schedule);
}

/* At random: never over the limit, every page once, in order at each host. */
static void shares_hold_at_random(void)
{
	enum { COUNT = 500, HOSTS = 7 };
	static char texts[COUNT][32];
	static char *urls[COUNT];
	size_t running[COUNT], running_count, done, index;
	size_t per_host[HOSTS], last[HOSTS];
	struct schedule schedule;

	srand(7);
	for (int round = 0; round < 50; round++) {
		size_t limit = 1 + (size_t)rand() % 4;

		for (size_t i = 0; i < COUNT; i++) {
			snprintf(texts[i], sizeof texts[i], "http://h%d/%zu", rand() % HOSTS, i);
			urls[i] = texts[i];
		}
		memset(per_host, 0, sizeof per_host);
		memset(last, 0, sizeof last);
		CHECK_EQ(schedule_init(&schedule, urls, COUNT, limit), 0);
		running_count = done = 0;
		while (done < COUNT) {
			while (rand() % 8 && schedule_next(&schedule, &index)) {
				size_t host = (size_t)(urls[index][8] - '0');

				CHECK_LE(++per_host[host], limit);
				CHECK_GE(index + 1, last[host]);
				last[host] = index + 1;
				running[running_count++] = index;
			}
			if (running_count == 0)
				continue;
			size_t victim = (size_t)rand() % running_count;
			index = running[victim];
			running[victim] = running[--running_count];
			per_host[urls[index][8] - '0']--;
			schedule_done(&schedule, index);
			done++;
		}
		CHECK(!schedule_next(&schedule, &index));
		schedule_free(&schedule);
	}
}

static void numbers_are_checked(void)
{
	cr_nsec duration;
	uint64_t size;
	size_t number;

	CHECK(args_number("100", 1, 1000, &number) && number == 100);
	CHECK(!args_number("0", 1, 1000, &number) && !args_number("1001", 1, 1000, &number));
	CHECK(!args_number("", 0, 9, &number) && !args_number("-1", 0, 9, &number));
	CHECK(!args_number("1x", 0, 9, &number) && !args_number(" 1", 0, 9, &number));
	CHECK(!args_number("99999999999999999999999", 0, SIZE_MAX, &number));
	CHECK(args_seconds("0.5", &duration) && duration == cr_millis(500));
	CHECK(args_seconds("10", &duration) && duration == cr_seconds(10));
	CHECK(!args_seconds("0", &duration) && !args_seconds("-1", &duration));
	CHECK(!args_seconds("nan", &duration) && !args_seconds("1e9", &duration));
	CHECK(!args_seconds("", &duration) && !args_seconds(".", &duration));
	CHECK(!args_seconds("1.2.3", &duration) && !args_seconds("inf", &duration));
	CHECK(args_size("64k", &size) && size == 65536);
	CHECK(args_size("2G", &size) && size == (uint64_t)2 << 30);
	CHECK(!args_size("0", &size) && !args_size("1T", &size) && !args_size("1kk", &size));
	CHECK(!args_size("99999999999G", &size) && !args_size("", &size));
}

static void suggestions_are_near(void)
{
	static const char *const words[] = {"get", "demo", "doctor", "sequential", "json"};

	CHECK_STR(args_suggest("gte", words, 5), "get");
	CHECK_STR(args_suggest("docter", words, 5), "doctor");
	CHECK_STR(args_suggest("sequentail", words, 5), "sequential");
	CHECK(args_suggest("zebra", words, 5) == NULL);
	CHECK(args_suggest("", words, 5) == NULL);
}

static const char *printed(void (*print)(FILE *, const char *), const char *text)
{
	static char buf[256];
	FILE *out = fmemopen(buf, sizeof buf, "w");

	CHECK(out != NULL);
	print(out, text);
	fclose(out);
	return buf;
}

static void text_is_harmless(void)
{
	CHECK_STR(printed(text_print, "caf\xc3\xa9"), "caf\xc3\xa9");
	CHECK_STR(printed(text_print, "a\033[2Jb\r\n\x7f"), "a\\x1b[2Jb\\x0d\\x0a\\x7f");
	CHECK_STR(printed(text_print, "\xc2\x9b"
	                              "31m"),
	          "\\u{9b}31m"); /* CSI in one character */
	CHECK_STR(printed(text_print, "\xe2\x80\xaetxt"), "\\u{202e}txt");
	CHECK_STR(printed(text_print, "\xff\xc0\xaf"), "\\xff\\xc0\\xaf");
	CHECK_STR(printed(text_print_json, "a\"b\\c\n\xff\xe2\x80\xae"),
	          "\"a\\\"b\\\\c\\u000a\\ufffd\\u202e\"");
}

static void retries_are_for_what_passes(void)
{
	CHECK(retry_is_worthwhile(-ECONNREFUSED, 0) && retry_is_worthwhile(-ETIMEDOUT, 0));
	CHECK(retry_is_worthwhile(0, 429) && retry_is_worthwhile(0, 503));
	CHECK(!retry_is_worthwhile(0, 404) && !retry_is_worthwhile(-CORAIL_E_DNS_NOTFOUND, 0));
	CHECK(!retry_is_worthwhile(-CORAIL_E_TLS_CERTIFICATE, 0));
	CHECK(!retry_is_worthwhile(-ENOSPC, 200) && !retry_is_worthwhile(-ECANCELED, 503));
	for (unsigned attempt = 2; attempt < 40; attempt++) {
		int64_t whole = attempt < 8 ? 250ll << (attempt - 2) : 15000;

		whole = whole > 15000 ? 15000 : whole;
		CHECK_GE(retry_delay(attempt), cr_millis(whole) / 2);
		CHECK_LE(retry_delay(attempt), cr_millis(whole));
	}
	CHECK_EQ(retry_after("7"), cr_seconds(7));
	CHECK_EQ(retry_after(NULL), 0);
	CHECK_EQ(retry_after("soon"), 0);
	CHECK_EQ(retry_after("7 s"), 0);
	CHECK_EQ(retry_after("Sun, 06 Nov 1994 08:49:37 GMT"), 0);
	CHECK_GT(retry_after("Fri, 31 Dec 2100 23:59:59 GMT"), cr_seconds(1e9));
	CHECK_GT(retry_after("99999999999999999999999999"), RETRY_AFTER_MAX);
}

int main(void)
{
	RUN(names_say_what_the_page_is);
	RUN(names_are_safe);
	RUN(names_are_safe_at_random);
	RUN(names_are_short);
	RUN(names_differ);
	RUN(lists_are_read);
	RUN(hosts_have_their_share);
	RUN(shares_hold_at_random);
	RUN(numbers_are_checked);
	RUN(suggestions_are_near);
	RUN(text_is_harmless);
	RUN(retries_are_for_what_passes);
	return test_done();
}
