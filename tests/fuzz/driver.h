/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_FUZZ_DRIVER_H
#define CORAIL_TESTS_FUZZ_DRIVER_H

/*
 * What libFuzzer does, without libFuzzer, and the same each time: every file of a folder of inputs,
 * as it is and damaged in some hundred ways. For tests and for compilers that have no fuzzer; to
 * look for what nobody has thought of, configure with clang and -DCORAIL_FUZZ=ON:
 *
 *	cmake -S . -B build/fuzz -G Ninja -DCMAKE_C_COMPILER=clang -DCORAIL_FUZZ=ON \
 *		-DCORAIL_SANITIZE=address,undefined
 *	ninja -C build/fuzz fuzz_http_server
 *	build/fuzz/tests/fuzz/http_server -max_len=4096 corpus/ tests/fuzz/http_server/
 *
 * A target is tests/fuzz/NAME.c with LLVMFuzzerTestOneInput() and, at its end, FUZZ_MAIN("NAME");
 * its inputs are in tests/fuzz/NAME/. TEST_INPUT=file runs one input alone.
 */

#include "support/test.h"

#include <stddef.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#if CORAIL_FUZZ

#define FUZZ_MAIN(name) _Static_assert(1, "libFuzzer has its own")

#else

enum { FUZZ_ROUNDS = 200, FUZZ_SIZE_MAX = 8192 };

/* splitmix64 */
static uint64_t fuzz_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* One change: a byte, a bit, a cut, a part twice, or a part gone. */
static size_t fuzz_damage(uint8_t *data, size_t size, uint64_t *state)
{
	size_t at = (size_t)fuzz_random(state) % size, left = size - at;
	size_t part = 1 + (size_t)fuzz_random(state) % (left < 64 ? left : 64);

	switch (fuzz_random(state) % 5) {
	case 0:
		data[at] = (uint8_t)fuzz_random(state);
		return size;
	case 1:
		data[at] ^= (uint8_t)(1U << fuzz_random(state) % 8);
		return size;
	case 2:
		return at > 2 ? at : size;
	case 3:
		if (size + part > FUZZ_SIZE_MAX)
			return size;
		memmove(data + at + part, data + at, left);
		return size + part;
	default:
		if (size - part < 2)
			return size;
		memmove(data + at, data + at + part, left - part);
		return size - part;
	}
}

static size_t fuzz_load(const char *path, uint8_t *data)
{
	FILE *file = fopen(path, "rb");
	size_t size;

	if (!file)
		FAIL(path);
	size = fread(data, 1, FUZZ_SIZE_MAX, file);
	fclose(file);
	return size;
}

static void fuzz_file(const char *path)
{
	/* To the byte, so that a sanitizer sees who reads beyond. */
	uint8_t *whole = malloc(FUZZ_SIZE_MAX), *input;
	size_t whole_size = fuzz_load(path, whole);
	uint64_t state = whole_size;

	for (int round = 0; round < FUZZ_ROUNDS; round++) {
		uint8_t damaged[FUZZ_SIZE_MAX];
		size_t size = whole_size;

		memcpy(damaged, whole, size);
		for (int change = 0; size > 0 && change < round % 8; change++)
			size = fuzz_damage(damaged, size, &state);
		input = malloc(size + !size);
		memcpy(input, damaged, size);
		LLVMFuzzerTestOneInput(input, size);
		free(input);
	}
	free(whole);
}

/* In any order: inputs do not know of each other. Returns how many there were. */
static int fuzz_folder(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	char path[4096];
	int count = 0;

	if (!dir)
		FAIL(folder);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		fuzz_file(path);
		count++;
	}
	closedir(dir);
	return count;
}

static inline int fuzz_main(const char *name)
{
	const char *source = getenv("CORAIL_SOURCE"), *only = getenv("TEST_INPUT");
	char folder[2048];
	int count;

	if (only) {
		fuzz_file(only);
		return 0;
	}
	snprintf(folder, sizeof folder, "%s/tests/fuzz/%s", source ? source : ".", name);
	count = fuzz_folder(folder);
	printf("- %s: %d inputs, each in %d forms\n", name, count, FUZZ_ROUNDS);
	return count > 0 ? 0 : TEST_FAIL;
}

#define FUZZ_MAIN(name)                                                                            \
	int main(void)                                                                             \
	{                                                                                          \
		return fuzz_main(name);                                                            \
	}                                                                                          \
	_Static_assert(1, "so that a semicolon may follow")

#endif
#endif
