/*
 * Runs a fuzz target over files without libFuzzer: each file named on the command line and every
 * file of each folder named there. Ends with 0 when the target came back from all of them, with 1
 * when there was none or one could not be read.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t inputs;

static int run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = NULL;
	long size;
	int rc = -1;

	if (!f || fseek(f, 0, SEEK_END) || (size = ftell(f)) < 0 || fseek(f, 0, SEEK_SET))
		goto out;
	/* Exactly as long as the input, so that a sanitizer sees a byte too far. */
	data = malloc(size ? (size_t)size : 1);
	if (!data || fread(data, 1, (size_t)size, f) != (size_t)size)
		goto out;
	(void)LLVMFuzzerTestOneInput(data, (size_t)size);
	inputs++;
	rc = 0;
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
	int rc = 0;

	for (int i = 1; i < argc; i++) {
		struct stat st;
		bool folder = stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode);

		if (folder ? run_folder(argv[i]) : run_file(argv[i]))
			rc = -1;
	}
	printf("%zu inputs\n", inputs);
	return rc || inputs == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
