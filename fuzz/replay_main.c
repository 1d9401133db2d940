/*
 * Runs a fuzz target over files without libFuzzer: each file named on the command line and every
 * file of each folder named there. Ends with 0 when the target came back from all of them, with 1
 * when there was none or one could not be read.
 *
 * --mutate=N before them: every N-th of an input's truncations (one at each byte) and of its bit
 * flips (eight at each) is run as well; 1: all.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t inputs, mutants, every;

/* Exactly as long as the input, so that a sanitizer sees a byte too far. */
static int run_first(const uint8_t *data, size_t size, size_t flipped)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		return -1;
	memcpy(copy, data, size);
	if (flipped < 8 * size)
		copy[flipped / 8] ^= (uint8_t)(1u << flipped % 8);
	(void)LLVMFuzzerTestOneInput(copy, size);
	free(copy);
	return 0;
}

static int run_mutants(const uint8_t *data, size_t size)
{
	int rc = 0;

	/* Not the same ones of each input, but always the same of this one. */
	for (size_t n = every > 1 ? size % every : 0; n < size && !rc; n += every, mutants++)
		rc = run_first(data, n, SIZE_MAX);
	for (size_t bit = every > 1 ? size % every : 0; bit < 8 * size && !rc;
	     bit += every, mutants++)
		rc = run_first(data, size, bit);
	return rc;
}

static int run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = NULL;
	long size;
	int rc = -1;

	if (!f || fseek(f, 0, SEEK_END) || (size = ftell(f)) < 0 || fseek(f, 0, SEEK_SET))
		goto out;
	data = malloc(size ? (size_t)size : 1);
	if (!data || fread(data, 1, (size_t)size, f) != (size_t)size)
		goto out;
	rc = run_first(data, (size_t)size, SIZE_MAX);
	inputs++;
	if (!rc && every)
		rc = run_mutants(data, (size_t)size);
out:
	if (rc)
		fprintf(stderr, "%s: cannot be read\n", path);
	free(data);
	if (f)
		fclose(f);
	return rc;
}

static int run_folder(const char *path)
{
	struct dirent *entry;
	DIR *folder = opendir(path);
	int rc = 0;

	if (!folder) {
		fprintf(stderr, "%s: cannot be read\n", path);
		return -1;
	}
	while ((entry = readdir(folder))) {
		char name[4096];
		struct stat st;
		int n = snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);

		if (n < 0 || (size_t)n >= sizeof(name) || stat(name, &st) || !S_ISREG(st.st_mode))
			continue;
		if (run_file(name))
			rc = -1;
	}
	closedir(folder);
	return rc;
}

int main(int argc, char **argv)
{
	int rc = 0, first = 1;

	if (argc > 1 && strncmp(argv[1], "--mutate=", 9) == 0)
		every = strtoull(argv[first++] + 9, NULL, 10);
	for (int i = first; i < argc; i++) {
		struct stat st;
		bool folder = stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode);

		if (folder ? run_folder(argv[i]) : run_file(argv[i]))
			rc = -1;
	}
	printf("%zu inputs, %zu mutants\n", inputs, mutants);
	return rc || inputs == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
